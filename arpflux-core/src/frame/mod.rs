//! Ethernet and ARP frames as typed values (RFC 826, RFC 5227).
