/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/**
 * arpflux: which interface of a multi-homed Linux host answers ARP for which address, why, and how to make
 * it exactly one.
 *
 * Written by `cargo xtask gen` from the sources of arpflux-c: do not edit.
 *
 * Conventions, which every function follows:
 *
 * - A function's name begins with the type that it is about. Inputs come before outputs, the error last.
 * - What returns a pointer without `const` gives an object to the caller, who frees it with the function named
 *   `TYPE_free` (texts: arpflux_string_free). What returns a pointer with `const` lends it: it lives as long
 *   as the object that it was taken from, and is not freed. A borrowed record or text must not be used after that.
 * - An owned handle that is NULL, already freed or of another type is answered with
 *   ARPFLUX_CODE_INVALID_INPUT, or with the value that the getter names. Freeing such a handle does nothing.
 * - On failure a function returns NULL or false and, if `err` is not NULL, sets `*err` to a new error, to be freed with
 *   arpflux_error_free. What `*err` held before is overwritten and not freed. Outputs are written on success only,
 *   and so is `*err` on failure only.
 * - A list is a pointer and a count. A count of 0 is an empty list, for which nothing is done; NULL with another count is
 *   ARPFLUX_CODE_INVALID_INPUT; where NULL stands for all, the function says so. Nothing is never good: verdicts on an empty list are
 *   UNDETERMINED or an error.
 * - Texts are UTF-8 and end in NUL. Interface names are bytes, as the kernel has them. Numbers of interfaces are from 1 up.
 * - Structs for options begin with `size`, which the caller sets to `sizeof` of the struct; later versions of the
 *   library only add members at the end, and 0 always asks for the default. ARPFLUX_OPTIONS declares one.
 * - Enumerations are numbers. 0 is what is not known: UNKNOWN, or UNDETERMINED where that is an answer of its own; it is what NULL
 *   gives (but ARPFLUX_CODE_OK: there is no error; ARPFLUX_WIRE_NONE: nobody asks). TYPE_name gives the name of each. Later versions may add numbers.
 * - What is deep is JSON: `TYPE_to_json` gives the whole record as the command prints it (docs/schema describes each).
 * - Threads: any handle may be used from several threads at once, and freed in one while another is in a call on it. Snapshots,
 *   policies, plans, reports and errors never change. Calls on one capture or watch wait for each other; transactions of one
 *   namespace wait for each other, also those of other processes. What is borrowed must not be used while another thread frees
 *   its owner.
 * - A callback runs on the calling thread, unless its text says otherwise, and never after the function that took it has
 *   returned. It must neither throw nor jump out (longjmp).
 * - No function lets a panic out, installs a signal handler, or leaves a thread behind, and none ends the process but where memory is
 *   gone (SIGABRT). Calls on a host (and steps of a watch of another namespace) do their work in a thread of their own, which has
 *   ended when they return.
 * - In a signal handler arpflux_stop_raise is allowed, and nothing else. A handler that ran ends no call, unless the call was given a
 *   flag for which arpflux_stop_at_signals was called. After fork(2) handles work in the child, whatever other threads
 *   were doing; only a watch or capture that another thread was in a call on must not be used there.
 */


#ifndef ARPFLUX_H
#define ARPFLUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of this header; arpflux_version() gives that of the library. */
#define ARPFLUX_VERSION "0.1.0"
/** The version as numbers: major, minor and patch. */
#define ARPFLUX_VERSION_MAJOR 0
/** See ARPFLUX_VERSION_MAJOR. */
#define ARPFLUX_VERSION_MINOR 1
/** See ARPFLUX_VERSION_MAJOR. */
#define ARPFLUX_VERSION_PATCH 0

#if defined(__GNUC__)
/** Compilers that can do so warn if what a function gives to its caller is dropped. */
#define ARPFLUX_MUST_USE __attribute__((warn_unused_result))
#else
/** See above. */
#define ARPFLUX_MUST_USE
#endif

#ifdef __cplusplus
/** Declares `name`, options of `type` that ask for the defaults. Members are set afterwards. */
#define ARPFLUX_OPTIONS(type, name) type name = type(); name.size = sizeof(type)
#else
/** Declares `name`, options of `type` that ask for the defaults. Members are set afterwards. */
#define ARPFLUX_OPTIONS(type, name) type name = {.size = sizeof(type)}
#endif


/** The room that the longest address needs as text, its NUL included. */
#define ARPFLUX_IP_TEXT_SIZE 46

/**
 * What a whole comes to. Only `ARPFLUX_JUDGED_GOOD` is good; no object at all, or one without anything to judge, is
 * undetermined.
 */
typedef uint32_t arpflux_judged;
enum {
    /** Nothing bad is known, and something that decides could not be read or understood. */
    ARPFLUX_JUDGED_UNDETERMINED = 0,
    /** As it should be. */
    ARPFLUX_JUDGED_GOOD = 1,
    /** Not as it should be. */
    ARPFLUX_JUDGED_BAD = 2,
};

/** What became of a transaction. */
typedef uint32_t arpflux_outcome;
enum {
    /** There is no receipt. */
    ARPFLUX_OUTCOME_UNKNOWN = 0,
    /** There was nothing to do. */
    ARPFLUX_OUTCOME_UNCHANGED = 1,
    /** It stands. */
    ARPFLUX_OUTCOME_APPLIED = 2,
    /** It is in force, and is undone unless it is confirmed in time. */
    ARPFLUX_OUTCOME_PENDING = 3,
    /** It was taken back. */
    ARPFLUX_OUTCOME_UNDONE = 4,
};

/** Who made a transaction. */
typedef uint32_t arpflux_maker;
enum {
    /** There is no receipt. */
    ARPFLUX_MAKER_UNKNOWN = 0,
    /** Somebody, by a command or by a program. */
    ARPFLUX_MAKER_PERSON = 1,
    /** A watch that heals. */
    ARPFLUX_MAKER_WATCH = 2,
    /** What starts and stops containers. */
    ARPFLUX_MAKER_CONTAINERS = 3,
};

/** What a change is about. */
typedef uint32_t arpflux_subject;
enum {
    /** Something that this version of the C library has no name for; `arpflux_change_text` tells. */
    ARPFLUX_SUBJECT_UNKNOWN = 0,
    /** A value below `net.ipv4.conf`. */
    ARPFLUX_SUBJECT_SYSCTL = 1,
    /** A value below `net.ipv6.conf`. */
    ARPFLUX_SUBJECT_IPV6_SYSCTL = 2,
    /** `net.ipv4.neigh.INTERFACE.proxy_delay`, in ms. */
    ARPFLUX_SUBJECT_PROXY_DELAY = 3,
    /** A proxy entry comes or goes. */
    ARPFLUX_SUBJECT_PROXY = 4,
    /** A policy routing rule comes or goes. */
    ARPFLUX_SUBJECT_RULE = 5,
    /** A route comes or goes. */
    ARPFLUX_SUBJECT_ROUTE = 6,
};

/** What class of failure an error is. Numbers never change their meaning; later versions may add some. */
typedef uint32_t arpflux_code;
enum {
    /** No error. */
    ARPFLUX_CODE_OK = 0,
    /** A value is malformed or out of range: an address, an interface name, an option. */
    ARPFLUX_CODE_INVALID_INPUT = 1,
    /** A policy file is not valid. */
    ARPFLUX_CODE_INVALID_POLICY = 2,
    /** A stored snapshot, receipt or journal cannot be read, or is of a version this build does not know. */
    ARPFLUX_CODE_INVALID_DATA = 3,
    /** The policy asks for something that would not work on this host, and says why. */
    ARPFLUX_CODE_REFUSED = 4,
    /** No such interface, namespace, file or entry. */
    ARPFLUX_CODE_NOT_FOUND = 20,
    /** The interface, entry or value is no longer what it was when the plan was made. */
    ARPFLUX_CODE_CHANGED = 21,
    /** The kernel has no such sysctl, or does not support the operation. */
    ARPFLUX_CODE_UNSUPPORTED = 22,
    /** A capability is missing. */
    ARPFLUX_CODE_PERMISSION_DENIED = 23,
    /** Another writer holds the lock of this namespace. */
    ARPFLUX_CODE_BUSY = 24,
    /** Nothing came within the time allowed. */
    ARPFLUX_CODE_TIMED_OUT = 25,
    /** The kernel's dumps kept being interrupted by changes. */
    ARPFLUX_CODE_RACED = 26,
    /** Stopped by a signal or by the caller. */
    ARPFLUX_CODE_INTERRUPTED = 27,
    /** Another owner of this host has the address, or has booked it. */
    ARPFLUX_CODE_IN_USE = 28,
    /** Any other system call failure. */
    ARPFLUX_CODE_IO = 40,
    /** Applying failed; everything already done was undone. */
    ARPFLUX_CODE_ROLLED_BACK = 41,
    /** Applying failed and undoing failed too; the error lists what is left. */
    ARPFLUX_CODE_PARTLY_APPLIED = 42,
    /** Verification found that the host is not as the policy says. */
    ARPFLUX_CODE_VERIFY_FAILED = 43,
    /** Nothing is known to be wrong, and something that decides could not be read or understood. */
    ARPFLUX_CODE_UNDETERMINED = 44,
    /** A defect of arpflux: please report it. */
    ARPFLUX_CODE_INTERNAL = 60,
};

/** Whether the kernel answers. */
typedef uint32_t arpflux_answer;
enum {
    /** That cannot be told from the snapshot. */
    ARPFLUX_ANSWER_UNDETERMINED = 0,
    /** It answers. */
    ARPFLUX_ANSWER_ANSWERS = 1,
    /** It does not. */
    ARPFLUX_ANSWER_SILENT = 2,
};

/** What the answers for one address mean. */
typedef uint32_t arpflux_judgement;
enum {
    /** There is no such address. */
    ARPFLUX_JUDGEMENT_UNKNOWN = 0,
    /** Nobody answered. */
    ARPFLUX_JUDGEMENT_SILENT = 1,
    /** One MAC. */
    ARPFLUX_JUDGEMENT_ONE = 2,
    /** Several MACs that answer for other addresses too: one host with several interfaces. */
    ARPFLUX_JUDGEMENT_FLUX = 3,
    /** One MAC holds it, others proxy it. */
    ARPFLUX_JUDGEMENT_PROXIED = 4,
    /** Several MACs: two hosts with one address, or one host of which no other address was asked for. */
    ARPFLUX_JUDGEMENT_SEVERAL = 5,
};

/** What became of a claim. */
typedef uint32_t arpflux_proof;
enum {
    /** Nothing known speaks against it, but some case cannot be told from the snapshot. */
    ARPFLUX_PROOF_UNDETERMINED = 0,
    /** It holds for all senders and all targets it is about. */
    ARPFLUX_PROOF_PROVED = 1,
    /** It does not hold. */
    ARPFLUX_PROOF_REFUTED = 2,
};

/** What made the watch look. */
typedef uint32_t arpflux_cause;
enum {
    /** There is no drift. */
    ARPFLUX_CAUSE_UNKNOWN = 0,
    /** The watch began. */
    ARPFLUX_CAUSE_START = 1,
    /** Somebody wrote a sysctl. */
    ARPFLUX_CAUSE_SYSCTL = 2,
    /** The kernel told of an interface, address, route or rule. */
    ARPFLUX_CAUSE_EVENT = 3,
    /** The list of proxy entries was another one. */
    ARPFLUX_CAUSE_PROXIES = 4,
    /** The regular look at everything. */
    ARPFLUX_CAUSE_POLL = 5,
    /** There is a new policy. */
    ARPFLUX_CAUSE_POLICY = 6,
    /** The kernel lost events, so everything was looked at. */
    ARPFLUX_CAUSE_LOST = 7,
    /** Somebody asked for it. */
    ARPFLUX_CAUSE_ASKED = 8,
};

/** What became of a drift. */
typedef uint32_t arpflux_remedy;
enum {
    /** There is no drift. */
    ARPFLUX_REMEDY_UNKNOWN = 0,
    /** Only told. */
    ARPFLUX_REMEDY_REPORTED = 1,
    /** Put right. */
    ARPFLUX_REMEDY_HEALED = 2,
    /** It could not be put right. */
    ARPFLUX_REMEDY_FAILED = 3,
    /** The policy cannot be kept on the host as it is now. */
    ARPFLUX_REMEDY_IMPOSSIBLE = 4,
    /** The policy can be kept again. */
    ARPFLUX_REMEDY_POSSIBLE = 5,
    /** What was told is as the policy says again, by somebody else's hand: clear the alarm. */
    ARPFLUX_REMEDY_RECOVERED = 6,
    /** Somebody else changes it again and again: it is put right with pauses, and told once a minute. */
    ARPFLUX_REMEDY_CONTESTED = 7,
    /** Somebody else's transaction is in the way: what it changes is put right afterwards, all else meanwhile. */
    ARPFLUX_REMEDY_WAITING = 8,
    /** Repairs are made, and cannot be written down in the state folder: nothing can take them back. */
    ARPFLUX_REMEDY_UNRECORDED = 9,
    /** Addresses are not answered for as the policy says, and nothing that the policy may change puts that right. */
    ARPFLUX_REMEDY_MISANSWERED = 10,
    /** Whether addresses are answered for as the policy says cannot be told. */
    ARPFLUX_REMEDY_UNDETERMINED = 11,
    /** The watch ends: only in lines of the command. */
    ARPFLUX_REMEDY_ENDED = 12,
};

/** What is claimed. */
typedef uint32_t arpflux_claim_kind;
enum {
    /** None was set: such a claim is refused. */
    ARPFLUX_CLAIM_KIND_UNKNOWN = 0,
    /** One of `among` answers for `address`, the same one whoever asks, and it answers every neighbour. */
    ARPFLUX_CLAIM_KIND_EXACTLY_ONE = 1,
    /** Whoever asks for an address of the prefix, no interface but `interface` answers. */
    ARPFLUX_CLAIM_KIND_NOTHING_BUT = 2,
    /** `interface` answers every neighbour that asks for `address`. */
    ARPFLUX_CLAIM_KIND_ANSWERS = 3,
    /** Whoever asks `interface` for an address of the prefix gets no answer. */
    ARPFLUX_CLAIM_KIND_NEVER = 4,
    /** Packets from `address`, wherever they go, leave by none of `among` but `interface`. */
    ARPFLUX_CLAIM_KIND_LEAVES_BY = 5,
};

/** Who asks on the wire. */
typedef uint32_t arpflux_wire;
enum {
    /** Nobody: nothing is sent. */
    ARPFLUX_WIRE_NONE = 0,
    /** The host asks itself, as if from the wire, without a second machine and without a frame on the wire. */
    ARPFLUX_WIRE_OWN = 1,
    /** Another namespace on the same wire. */
    ARPFLUX_WIRE_PEER = 2,
};

/** What a plan harms. It never changes; free it with `arpflux_assessment_free`. */
typedef struct arpflux_assessment arpflux_assessment;

/**
 * Collects who claimed which address, out of files, streams and frames; free it with `arpflux_capture_free`. It grows to about
 * 100 MiB at most, whatever the captures hold. Calls on one capture wait for each other.
 */
typedef struct arpflux_capture arpflux_capture;

/** What a capture shows. It never changes; free it with `arpflux_capture_report_free`. */
typedef struct arpflux_capture_report arpflux_capture_report;

/** What one interface does with requests for one address, borrowed from a matrix. */
typedef struct arpflux_cell arpflux_cell;

/** A change of the kernel's state, borrowed from a plan, a receipt or a drift. */
typedef struct arpflux_change arpflux_change;

/**
 * What was found out about addresses, one record for each address on each interface. It never changes; free it with
 * `arpflux_detection_free`.
 */
typedef struct arpflux_detection arpflux_detection;

/** What is wrong with a host. It never changes; free it with `arpflux_diagnosis_free`. */
typedef struct arpflux_diagnosis arpflux_diagnosis;

/** The host was found to be otherwise than the policy says. Borrowed: it lives until the function that it was handed to returns. */
typedef struct arpflux_drift arpflux_drift;

/**
 * What failed, on what, why, and what to do about it. Owned by the caller: free it with
 * `arpflux_error_free`.
 */
typedef struct arpflux_error arpflux_error;

/** What the kernel does with a request, and why. It never changes; free it with `arpflux_explanation_free`. */
typedef struct arpflux_explanation arpflux_explanation;

/**
 * A network namespace of this machine, which lives at least as long as this handle; free it with
 * `arpflux_host_free`. The calling thread is never moved: a call on a host does its work in a thread of its
 * own, which has ended when the call returns.
 */
typedef struct arpflux_host arpflux_host;

/** Which requests are answered otherwise after a plan. It never changes; free it with `arpflux_impact_free`. */
typedef struct arpflux_impact arpflux_impact;

/** An interface of a snapshot, borrowed from it. */
typedef struct arpflux_interface arpflux_interface;

/** Who answers for which address on which interface. It never changes; free it with `arpflux_matrix_free`. */
typedef struct arpflux_matrix arpflux_matrix;

/** Ordered changes; it never changes itself. Free it with `arpflux_plan_free`. */
typedef struct arpflux_plan arpflux_plan;

/** The desired state of one host; it never changes. Free it with `arpflux_policy_free`. */
typedef struct arpflux_policy arpflux_policy;

/** What came of addresses that were asked for. It never changes; free it with `arpflux_probes_free`. */
typedef struct arpflux_probes arpflux_probes;

/** What became of claims. It never changes; free it with `arpflux_proofs_free`. */
typedef struct arpflux_proofs arpflux_proofs;

/** A proxy entry (`ip neigh add proxy`), borrowed from a snapshot. */
typedef struct arpflux_proxy arpflux_proxy;

/** What is published, and how it stands. It never changes; free it with `arpflux_published_free`. */
typedef struct arpflux_published arpflux_published;

/**
 * What a transaction did. Free it with `arpflux_receipt_free`, which undoes a change on trial that was neither
 * confirmed nor left.
 */
typedef struct arpflux_receipt arpflux_receipt;

/** What verification found; it never changes. Free it with `arpflux_report_free`. */
typedef struct arpflux_report arpflux_report;

/**
 * One network namespace at one moment. It never changes; free it with `arpflux_snapshot_free`.
 * Records and texts taken from it are borrowed: they live as long as the snapshot does.
 */
typedef struct arpflux_snapshot arpflux_snapshot;

/**
 * A flag that ends waits: for a lock, for answers, for news, between announcements. Options name it; another thread or a signal handler
 * raises it. What is being changed is never cut short by it. Free it with `arpflux_stop_free`.
 */
typedef struct arpflux_stop arpflux_stop;

/** Watches one namespace for one policy; free it with `arpflux_watch_free`. Calls on one watch wait for each other. */
typedef struct arpflux_watch arpflux_watch;

/** An IPv4 or IPv6 address, by value. */
typedef struct {
    /** 4 or 6; 0: no address. */
    uint8_t family;
    /** The address in network byte order; an IPv4 address is in the first four bytes, the rest is 0. */
    uint8_t bytes[16];
} arpflux_ip;

/** How to announce. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /** How often each address is announced, up to 100; 0: twice. */
    uint32_t rounds;
    /** The time between rounds, in ms, up to 600,000; 0: 1100. Below 1000 a receiver may ignore the second. */
    uint32_t spacing_ms;
    /** Not 0: no gratuitous requests. */
    uint32_t no_request;
    /** Not 0: no gratuitous replies. */
    uint32_t no_reply;
    /** Prefixes (`10.0.0.0/8`) whose addresses are never announced; may be NULL. */
    const char *const *never;
    /** How many prefixes `never` has. */
    size_t never_count;
    /** Ends the wait between two rounds when it is raised; may be NULL. */
    const arpflux_stop *stop;
    /** Not 0: announce even what another interface of the host holds or proxies. */
    uint32_t anyway;
} arpflux_announce_options;

/** How a transaction is run. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /**
     * The change is on trial for this time, in milliseconds, from 1 s to 24 h: it is undone unless it is confirmed in
     * time, by a process of its own that outlives the caller. 0: it is kept at once.
     */
    uint64_t confirm_within_ms;
    /** How long to wait for another writer, in milliseconds; 0: the default, 10 s. */
    uint64_t lock_wait_ms;
    /**
     * The folder for the state of all namespaces, an absolute path; NULL: the default. All that change the same
     * namespace have to name the same folder.
     */
    const char *state_dir;
    /** Ends the wait for another writer when it is raised; may be NULL. */
    const arpflux_stop *stop;
    /**
     * Not 0: it is done even if an address loses its last answer, or a neighbour or container its way; otherwise that is
     * `ARPFLUX_CODE_REFUSED`.
     */
    uint32_t accept_harm;
    /**
     * Who makes the change, an `ARPFLUX_MAKER_...`; 0: a person. What a watch or the scripts of containers make is taken back by its
     * number only.
     */
    uint32_t by;
} arpflux_apply_options;

/** How to listen. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /** How long to listen, in ms; 0: until `tell` ends it. */
    uint64_t duration_ms;
    /** How many frames to take; 0: any number. */
    uint64_t frames;
    /** Ends it when it is raised; may be NULL. What was heard until then is in the capture. */
    const arpflux_stop *stop;
} arpflux_listen_options;

/**
 * Is told, several times a second, how many frames were taken. Returns whether to go on. `context` is as it was given. Runs on
 * a thread of the library while the caller waits, and must neither throw nor jump out.
 */
typedef bool (*arpflux_listen_fn)(uint64_t frames, void *context);

/** How addresses are published. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /**
     * The interface where the addresses belong; NULL: what the policy says of the owner (`[[proxy]]`), or `ARPFLUX_IF` in the
     * container's own file.
     */
    const char *interface;
    /** The policy; NULL: `/etc/arpflux/policy.toml`. It need not exist. */
    const char *policy;
    /** The folder with `vz.conf` and `conf/OWNER.conf`; NULL: `/etc/vz`. It need not exist. */
    const char *vz_dir;
    /** Not 0: these are all addresses that the owner has; its former ones are withdrawn. */
    uint32_t all;
    /**
     * Not 0: peers are told even if nothing had to change, and once more after 1.1 s, as receivers may ignore what they hear within a
     * second of what they heard before. 0: they are told once of what was added, without a wait.
     */
    uint32_t announce;
    /** When booking, not 0: nobody is asked on the wire. */
    uint32_t skip_wire;
    /** When booking: for how long, which is until this process ends or the addresses are published; 0: the calling process. */
    uint32_t pid;
    /** How the transaction is run; NULL: the defaults. `confirm_within_ms` and `by` have no meaning here. */
    const arpflux_apply_options *apply;
} arpflux_publish_options;

/** How to look. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /**
     * The names of the interfaces to ask on; NULL: each address on every Ethernet interface that is up and holds an address of its family. A list
     * without a name is `ARPFLUX_CODE_NOT_FOUND`.
     */
    const char *const *interfaces;
    /** How many `interfaces` are named. */
    size_t interface_count;
    /** How often to ask, up to 10; 0: twice. */
    uint32_t rounds;
    /** The time from one round to the next, in ms, up to 60,000; 0: 500. */
    uint32_t spacing_ms;
    /** How long to listen after the last round, in ms, up to 60,000; 0: 1000. Below 800 late proxies are missed. */
    uint32_t wait_ms;
    /** Ends the wait when it is raised; may be NULL. */
    const arpflux_stop *stop;
} arpflux_detect_options;

/** What to look at. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /** The policy that the host should follow: what is not so becomes a finding. May be NULL. */
    const arpflux_policy *policy;
    /** Findings that are not wanted, such as `"AF003"`; may be NULL. */
    const char *const *ignore;
    /** How many findings `ignore` names. */
    size_t ignore_count;
} arpflux_diagnose_options;

/** An ARP request or a neighbour solicitation as it arrives on an interface. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /** The name of the interface it arrives on. */
    const char *interface;
    /** The address asked for: IPv4 by an ARP request, IPv6 by a neighbour solicitation. */
    arpflux_ip target;
    /** Who asks, an address of the same family; 0.0.0.0 or `::` in a probe (RFC 5227, RFC 4862). */
    arpflux_ip sender;
    /** The bytes of the sender's MAC, where it matters; NULL: an ordinary neighbour's. */
    const uint8_t *sender_mac;
    /** How many bytes `sender_mac` has. */
    size_t sender_mac_length;
    /** Not 0: the frame was sent to this interface's MAC instead of to all. */
    uint32_t unicast;
} arpflux_request;

/** How a matrix is made. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /** Who asks, for addresses of its family; of family 0: an ordinary neighbour is chosen for each interface. */
    arpflux_ip sender;
    /** The names of the interfaces to ask; NULL: all that take ARP requests for themselves. */
    const char *const *interfaces;
    /** How many `interfaces` are named. */
    size_t interface_count;
    /**
     * The addresses to ask for, of either family; NULL: all that the host holds or proxies, but 127/8, ::1 and link-local
     * IPv6 ones.
     */
    const arpflux_ip *targets;
    /** How many `targets` there are. */
    size_t target_count;
} arpflux_matrix_options;

/** A packet that the host sends. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /** Where it goes to, an IPv4 address. */
    arpflux_ip destination;
    /** Its source address, if the program chose one; of family 0: the kernel chooses. */
    arpflux_ip source;
    /** The interface, if the program chose one (`SO_BINDTODEVICE`); NULL: the kernel chooses. */
    const char *interface;
} arpflux_packet;

/** Where the files of the host's managers are. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /** The folder that stands for `/`, for images and tests; NULL: `/`. */
    const char *root;
    /** The absolute path of the command `arpflux` as the host sees it at boot; NULL: `/usr/bin/arpflux`. */
    const char *command;
    /** How the transaction is run; NULL: the defaults. */
    const arpflux_apply_options *apply;
} arpflux_persist_options;

/** How to ask. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /** The interface to ask on; NULL: the one with an address on the first target's subnet. */
    const char *interface;
    /** How often an address that stays silent is asked, up to 10; 0: twice. */
    uint32_t tries;
    /** How long an address may take to answer, in ms, up to 60,000; 0: 1000. Below 800 late proxies are missed. */
    uint32_t wait_ms;
    /** Requests per second, up to 10,000,000; 0: 10,000. */
    uint32_t rate;
    /** Not 0: does not find out which MACs only proxy the address, which takes a second question to each. */
    uint32_t any_holder;
    /** Ends the wait for answers when it is raised; may be NULL. */
    const arpflux_stop *stop;
} arpflux_probe_options;

/**
 * Is told how far it is: `done` of `total` addresses have been asked for; and, where `mac` is not NULL, that this MAC answered
 * for `address` for the first time. `context` is as it was given. Returns whether to go on. Runs on a thread of the library
 * while the caller waits, and must neither throw nor jump out.
 */
typedef bool (*arpflux_progress_fn)(size_t done, size_t total, arpflux_ip address, const char *mac, void *context);

/** A claim. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /** An `ARPFLUX_CLAIM_KIND_...`. */
    uint32_t kind;
    /** For the kinds that speak of a prefix: its length in bits, 1 to 32, of IPv6 to 128; 0: `address` alone. */
    uint32_t prefix_len;
    /** The address that the claim is about; for `ARPFLUX_CLAIM_KIND_LEAVES_BY` an IPv4 one. */
    arpflux_ip address;
    /** The interface that the claim is about; of no meaning for `ARPFLUX_CLAIM_KIND_EXACTLY_ONE`. */
    const char *interface;
    /**
     * The names of the interfaces that count, usually those on one wire; NULL: all that take ARP requests; an empty list is refused.
     */
    const char *const *among;
    /** How many names `among` has. */
    size_t among_count;
} arpflux_claim;

/** How proxy entries are added. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /** Not 0: entries of the same addresses on other interfaces go. */
    uint32_t only;
    /** Not 0: peers are told. */
    uint32_t announce;
    /** How the transaction is run; NULL: the defaults. */
    const arpflux_apply_options *apply;
} arpflux_proxy_options;

/** An interface of one of several hosts. */
typedef struct {
    /** The place of the host among the snapshots, from 0. */
    size_t host;
    /** The name of its interface. */
    const char *interface;
} arpflux_port;

/** How a host is verified. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /** Who asks, an `ARPFLUX_WIRE_...`. */
    uint32_t wire;
    /** For `ARPFLUX_WIRE_PEER`: who that is. */
    const arpflux_host *peer;
    /** For `ARPFLUX_WIRE_PEER`: its interface to ask on; NULL: the one whose subnet the address is in. */
    const char *peer_interface;
    /** Ends the wait for answers when it is raised; may be NULL. */
    const arpflux_stop *stop;
} arpflux_verify_options;

/** How to watch. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /** Not 0: puts right what drifts, each time as a transaction; else it is only told. */
    uint32_t heal;
    /** The longest time between two looks at everything, in ms, 100 at least; 0: 5000. It is for what the kernel sends no news of. */
    uint32_t look_ms;
    /** How a repair is run; NULL: the defaults. `confirm_within_ms` has no meaning here. */
    const arpflux_apply_options *apply;
    /**
     * The shortest time between two looks at the proxy entries, of which the kernel sends no news, in ms, up to 2000; 0: 20. It is all
     * that a quiet host costs: with 2000 the watch wakes up less than once a second. Where the policy says nothing of entries and
     * nothing is published, they are looked at as seldom as `look_ms` says.
     */
    uint32_t proxy_ms;
} arpflux_watch_options;

/**
 * Is handed one drift, and `context` as it was given. Returns whether to go on with the next one. Runs on the calling thread, with
 * nothing locked: it may call anything, also on this watch. It must neither throw nor jump out.
 */
typedef bool (*arpflux_drift_fn)(const arpflux_drift *drift, void *context);

/** How wires are looked for. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults. */
typedef struct {
    /** `sizeof` of this struct. */
    size_t size;
    /** How many frames each interface sends, up to 10; 0: one. */
    uint32_t rounds;
    /** How long to listen after each round, in ms, up to 60,000; 0: 300. */
    uint32_t wait_ms;
    /** Ends the wait when it is raised; may be NULL. */
    const arpflux_stop *stop;
} arpflux_wires_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * What it comes to: bad if something would be lost, undetermined if who answers afterwards cannot be told of each address.
 * Undetermined for NULL.
 */
arpflux_judged arpflux_assessment_judged(const arpflux_assessment *assessment);

/** How much would be lost; 0 for NULL. */
size_t arpflux_assessment_harm_count(const arpflux_assessment *assessment);

/** What would be lost, at a place from 0, as a sentence. Borrowed from the assessment; NULL beyond the last. */
const char *arpflux_assessment_harm_at(const arpflux_assessment *assessment, size_t at);

/**
 * All of it for people: what would be lost, one a line, and what cannot be told; empty if there is neither. Borrowed; NULL
 * for NULL.
 */
const char *arpflux_assessment_text(const arpflux_assessment *assessment);

/**
 * The assessment as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_assessment_to_json(const arpflux_assessment *assessment, arpflux_error **err);

/** Frees an assessment, and with it all that was borrowed from it. NULL and assessments already freed are left alone. */
void arpflux_assessment_free(arpflux_assessment *assessment);

/**
 * Tells everybody on the wire that addresses are at one interface: gratuitous ARP in request and reply form, for IPv6
 * unsolicited neighbour advertisements. Takes until the last round, 1.1 s by default. The addresses need not be on the interface,
 * and no sysctl is touched; what another interface of the host holds or proxies is refused. `options` and `frames` may be NULL.
 *
 * Writes the number of frames sent to `*frames` and returns true, or returns false and sets `*err`:
 * `ARPFLUX_CODE_REFUSED` if another interface is the owner or nothing is left to announce, `ARPFLUX_CODE_PERMISSION_DENIED` without
 * `CAP_NET_RAW`.
 */
bool arpflux_host_announce(const arpflux_host *host,
                           const char *interface,
                           const arpflux_ip *addresses,
                           size_t count,
                           const arpflux_announce_options *options,
                           size_t *frames,
                           arpflux_error **err);

/**
 * Makes a plan so, as one transaction: all of it, or nothing of it. `options` may be NULL. Where it cannot be told whether it
 * does harm, it is made, and `arpflux_receipt_judged` says so.
 *
 * Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`: `ARPFLUX_CODE_CHANGED` if the host is no
 * longer what the plan saw, `ARPFLUX_CODE_ROLLED_BACK` if a step failed and all was undone,
 * `ARPFLUX_CODE_PARTLY_APPLIED` if not all could be undone, `ARPFLUX_CODE_BUSY` if another writer is in the way.
 */
ARPFLUX_MUST_USE arpflux_receipt *arpflux_host_apply(const arpflux_host *host,
                                    const arpflux_plan *plan,
                                    const arpflux_apply_options *options,
                                    arpflux_error **err);

/**
 * Takes a transaction back: the one of number `id`, or, if that is 0, the last that a person made and that stands:
 * what a watch or the scripts of containers made is taken back by its number only. What somebody else changed since is
 * left alone and listed among the conflicts, unless `force`; what published addresses of containers stand on is left,
 * and named in the notes. `options` may be NULL.
 *
 * Returns the receipt of the rollback, to be freed with `arpflux_receipt_free`, or NULL and sets `*err`:
 * `ARPFLUX_CODE_NOT_FOUND` if there is nothing to take back, also where `id` is 0 and the last change on trial had nothing to
 * change, and as `arpflux_host_apply`.
 */
ARPFLUX_MUST_USE arpflux_receipt *arpflux_host_rollback(const arpflux_host *host,
                                       uint64_t id,
                                       bool force,
                                       const arpflux_apply_options *options,
                                       arpflux_error **err);

/**
 * Keeps the transaction that waits for confirmation: of number `id`, or, if that is 0, whichever it is. For those who
 * hold no receipt; `arpflux_receipt_confirm` is for those who do. `options` may be NULL.
 *
 * Returns its receipt, to be freed with `arpflux_receipt_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if none waits.
 */
ARPFLUX_MUST_USE arpflux_receipt *arpflux_host_confirm(const arpflux_host *host,
                                      uint64_t id,
                                      const arpflux_apply_options *options,
                                      arpflux_error **err);

/**
 * Keeps the change. If it was not on trial, nothing happens.
 *
 * Returns true, or false and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if it was undone meanwhile.
 */
bool arpflux_receipt_confirm(arpflux_receipt *receipt, arpflux_error **err);

/**
 * Takes the change back, on trial or not; what somebody else changed since is left alone.
 *
 * Returns true, or false and sets `*err`, as `arpflux_host_rollback`.
 */
bool arpflux_receipt_undo(arpflux_receipt *receipt, arpflux_error **err);

/**
 * Lets the change wait for a confirmation from elsewhere (`arpflux_host_confirm`, `arpflux confirm`); if none comes in
 * time, it is undone.
 *
 * Returns true, or false and sets `*err`.
 */
bool arpflux_receipt_leave(arpflux_receipt *receipt, arpflux_error **err);

/** The number of the transaction, from 1 up; 0 if there was nothing to do, or for NULL. */
uint64_t arpflux_receipt_id(const arpflux_receipt *receipt);

/** What became of the transaction, as far as this receipt knows; `ARPFLUX_OUTCOME_UNKNOWN` for NULL. */
arpflux_outcome arpflux_receipt_outcome(const arpflux_receipt *receipt);

/** Who made the transaction; `ARPFLUX_MAKER_UNKNOWN` for NULL. */
arpflux_maker arpflux_receipt_by(const arpflux_receipt *receipt);

/** How many changes were made. */
size_t arpflux_receipt_change_count(const arpflux_receipt *receipt);

/** The change at a place, from 0. Borrowed from the receipt; NULL beyond the last. */
const arpflux_change *arpflux_receipt_change_at(const arpflux_receipt *receipt, size_t at);

/** How much was left alone because somebody else had changed it. */
size_t arpflux_receipt_conflict_count(const arpflux_receipt *receipt);

/** The conflict at a place, from 0, as a sentence. Borrowed from the receipt; NULL beyond the last. */
const char *arpflux_receipt_conflict_at(const arpflux_receipt *receipt, size_t at);

/** How many notes there are. */
size_t arpflux_receipt_note_count(const arpflux_receipt *receipt);

/** Whatever else is worth knowing, at a place from 0, as a sentence. Borrowed from the receipt; NULL beyond the last. */
const char *arpflux_receipt_note_at(const arpflux_receipt *receipt, size_t at);

/**
 * What was told beforehand of the harm that the change may do (`arpflux_plan_assess`): good, or undetermined, as what is bad
 * is refused; good also where harm was accepted, and of what is no apply. Undetermined for NULL.
 */
arpflux_judged arpflux_receipt_judged(const arpflux_receipt *receipt);

/**
 * The receipt as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_receipt_to_json(const arpflux_receipt *receipt, arpflux_error **err);

/**
 * Frees a receipt. A change on trial that was neither confirmed nor left is undone first, which takes a moment; if that
 * fails, it is undone at its deadline. NULL and receipts already freed are left alone.
 */
void arpflux_receipt_free(arpflux_receipt *receipt);

/**
 * An empty capture.
 *
 * Returns a capture to be freed with `arpflux_capture_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE arpflux_capture *arpflux_capture_new(arpflux_error **err);

/**
 * Says that MACs are one host's, which lets the report call its flux proved. `macs` is a list of `count` texts.
 *
 * Returns true, or false and sets `*err`.
 */
bool arpflux_capture_know_host(arpflux_capture *capture, const char *const *macs, size_t count, arpflux_error **err);

/**
 * Gives the state of a host of that wire: its MACs are one host's, and the report says of each of its answers, under
 * `explained`, whether the model of the kernel gives it, and why. Before anything is read. `snapshot` may be freed afterwards.
 *
 * Returns true, or false and sets `*err`.
 */
bool arpflux_capture_know_snapshot(arpflux_capture *capture, const arpflux_snapshot *snapshot, arpflux_error **err);

/**
 * Reads a file: pcap or pcapng in all their variants, either of them compressed with gzip, zstd, xz or lz4, or what tcpdump printed.
 *
 * Returns true, or false and sets `*err`: `ARPFLUX_CODE_INVALID_DATA` if it is no capture, or damaged; what came before the
 * damage was read.
 */
bool arpflux_capture_read_path(arpflux_capture *capture,
                               const char *path,
                               arpflux_error **err);

/**
 * Takes one Ethernet frame, as a packet socket receives it, seen at `time_ns` nanoseconds since 1970.
 *
 * Returns true, or false and sets `*err`.
 */
bool arpflux_capture_feed(arpflux_capture *capture, uint64_t time_ns, const uint8_t *frame, size_t length, arpflux_error **err);

/**
 * Takes ARP frames from an interface into a capture, and notes the host's own MACs as one host's. `options` and `tell` may be
 * NULL, but one of them has to end it.
 *
 * Returns true, or false and sets `*err`: `ARPFLUX_CODE_INVALID_INPUT` if nothing would end it,
 * `ARPFLUX_CODE_PERMISSION_DENIED` without `CAP_NET_RAW`. Frames that came too fast and were lost are told in the report.
 */
bool arpflux_host_listen(const arpflux_host *host,
                         const char *interface,
                         arpflux_capture *capture,
                         const arpflux_listen_options *options,
                         arpflux_listen_fn tell,
                         void *context,
                         arpflux_error **err);

/**
 * What the capture shows so far.
 *
 * Returns a report to be freed with `arpflux_capture_report_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE arpflux_capture_report *arpflux_capture_judge(arpflux_capture *capture, arpflux_error **err);

/** Frees a capture. NULL and captures already freed are left alone. */
void arpflux_capture_free(arpflux_capture *capture);

/**
 * Whether something should be done about any address: flux, duplicates, suspected spoofing, a host in conflict with itself.
 * False for NULL.
 */
bool arpflux_capture_report_is_bad(const arpflux_capture_report *report);

/** How many addresses somebody claimed; 0 for NULL. */
size_t arpflux_capture_report_count(const arpflux_capture_report *report);

/**
 * The report as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_capture_report_to_json(const arpflux_capture_report *report, arpflux_error **err);

/** Frees a report, and with it all that was borrowed from it. NULL and reports already freed are left alone. */
void arpflux_capture_report_free(arpflux_capture_report *report);

/** What it is about; `ARPFLUX_SUBJECT_UNKNOWN` for NULL. */
arpflux_subject arpflux_change_subject(const arpflux_change *change);

/** The change as one line. Borrowed; NULL for NULL. */
const char *arpflux_change_text(const arpflux_change *change);

/** The number of the interface that it is about; 0 if it is about none, or about all. */
uint32_t arpflux_change_interface(const arpflux_change *change);

/**
 * Publishes `count` addresses of `owner` (a container's id, or a name of letters, digits, `-`, `_` and `.`): the interface where they
 * belong answers for them and no other, and their packets leave by it, whatever `rp_filter` is. A route to each must be there
 * already. What is as it should be is not touched; nothing of other owners and of the host itself is. Whoever plans, applies, heals or
 * rolls back on this host from now on keeps what is published. A change of somebody that is on trial is waited for, as long as
 * `apply->lock_wait_ms` says. Without an address nothing is done, but with `options.all` the
 * owner has none any more, and all of its addresses are withdrawn. `options` may be NULL.
 *
 * Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`: `ARPFLUX_CODE_IN_USE` if another owner has
 * one of the addresses; `ARPFLUX_CODE_REFUSED` if no route leads there, or the host has it itself; `ARPFLUX_CODE_NOT_FOUND` if nothing says which interface,
 * or it is not there; and as `arpflux_host_apply`. Nothing is changed then.
 */
ARPFLUX_MUST_USE arpflux_receipt *arpflux_host_publish(const arpflux_host *host,
                                      const char *owner,
                                      const arpflux_ip *addresses,
                                      size_t count,
                                      const arpflux_publish_options *options,
                                      arpflux_error **err);

/**
 * Withdraws `count` addresses of `owner`, or all of them if `addresses` is NULL: entries, rules and what only they needed. To be called
 * before their routes go. What is not published is no error; what another owner has is left alone, and noted in the receipt.
 * `options` may be NULL.
 *
 * Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`, as `arpflux_host_apply`.
 */
ARPFLUX_MUST_USE arpflux_receipt *arpflux_host_withdraw(const arpflux_host *host,
                                       const char *owner,
                                       const arpflux_ip *addresses,
                                       size_t count,
                                       const arpflux_publish_options *options,
                                       arpflux_error **err);

/**
 * What `arpflux_host_publish` would change now. Nothing is changed or sent. `options` may be NULL.
 *
 * Returns a plan to be freed with `arpflux_plan_free`, or NULL and sets `*err`, as `arpflux_host_publish`.
 */
ARPFLUX_MUST_USE arpflux_plan *arpflux_host_plan_publish(const arpflux_host *host,
                                        const char *owner,
                                        const arpflux_ip *addresses,
                                        size_t count,
                                        const arpflux_publish_options *options,
                                        arpflux_error **err);

/**
 * What `arpflux_host_withdraw` would change now. Nothing is changed or sent. `options` may be NULL.
 *
 * Returns a plan to be freed with `arpflux_plan_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE arpflux_plan *arpflux_host_plan_withdraw(const arpflux_host *host,
                                         const char *owner,
                                         const arpflux_ip *addresses,
                                         size_t count,
                                         const arpflux_publish_options *options,
                                         arpflux_error **err);

/**
 * Publishes again what is missing of what was published (an interface was down, or came late), withdraws what lost its route, and
 * takes over what a container's file names and somebody else published. `options` may be NULL.
 *
 * Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`, as `arpflux_host_apply`.
 */
ARPFLUX_MUST_USE arpflux_receipt *arpflux_host_sync(const arpflux_host *host, const arpflux_publish_options *options, arpflux_error **err);

/**
 * Books `count` addresses for `owner` before they are published: no other owner gets them from now on; and asks on the wire whether
 * another host has them, which takes 1.0 s for any number of them. Answers of this host are no conflict. Without an address there is
 * nothing to ask for. `options` may be NULL.
 *
 * Returns a detection to be freed with `arpflux_detection_free`, which tells whether they are free out there; or NULL and sets `*err`:
 * `ARPFLUX_CODE_IN_USE` if another owner has one of them; `ARPFLUX_CODE_UNDETERMINED` if nobody could be asked on an interface.
 */
ARPFLUX_MUST_USE arpflux_detection *arpflux_host_book(const arpflux_host *host,
                                     const char *owner,
                                     const arpflux_ip *addresses,
                                     size_t count,
                                     const arpflux_publish_options *options,
                                     arpflux_error **err);

/**
 * What is published on the host, by `arpflux_host_publish`, by `arpflux vz` or by the scripts of vzctl, and how each address stands:
 * entry, rule, table and route. `options` may be NULL.
 *
 * Returns a list to be freed with `arpflux_published_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE arpflux_published *arpflux_host_published(const arpflux_host *host,
                                          const arpflux_publish_options *options,
                                          arpflux_error **err);

/** How many addresses there are; 0 for NULL. */
size_t arpflux_published_count(const arpflux_published *published);

/** The address at a place, from 0; of family 0 beyond the last. */
arpflux_ip arpflux_published_address_at(const arpflux_published *published, size_t at);

/** Whose the address at a place is. Borrowed; NULL beyond the last. */
const char *arpflux_published_owner_at(const arpflux_published *published, size_t at);

/** The interface where the address at a place belongs. Borrowed; NULL beyond the last. */
const char *arpflux_published_interface_at(const arpflux_published *published, size_t at);

/** How the address at a place stands, for people: `"published"`, or what is missing. Borrowed; NULL beyond the last. */
const char *arpflux_published_text_at(const arpflux_published *published, size_t at);

/** Whether all of it is as it should be; undetermined for NULL, and where nothing is published. */
arpflux_judged arpflux_published_judged(const arpflux_published *published);

/**
 * The list as one JSON object with `"schema": 1`, as `arpflux vz status --json` prints it where there are no scripts.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_published_to_json(const arpflux_published *published, arpflux_error **err);

/** Frees a list. NULL and lists already freed are left alone. */
void arpflux_published_free(arpflux_published *published);

/**
 * Finds out whether somebody else has addresses already, before they are used here: for IPv4 as RFC 5227 says, and with a sender
 * of the interface's own as well, which alone is answered for addresses that another host proxies; for IPv6 as RFC 4862 says. This host's own interfaces are
 * never blamed. `targets` is a list of `count` texts, each an address, a prefix or a range. `options` may be NULL. Takes 1.5 s with
 * the defaults, for any number of addresses and interfaces.
 *
 * Returns a detection to be freed with `arpflux_detection_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if there is
 * no interface to ask on, `ARPFLUX_CODE_PERMISSION_DENIED` without `CAP_NET_RAW`.
 */
ARPFLUX_MUST_USE arpflux_detection *arpflux_host_detect(const arpflux_host *host,
                                       const char *const *targets,
                                       size_t count,
                                       const arpflux_detect_options *options,
                                       arpflux_error **err);

/** Good if nobody else has any of the addresses, bad if somebody has; undetermined for NULL, and where nothing was asked for. */
arpflux_judged arpflux_detection_judged(const arpflux_detection *detection);

/** How many records there are: one for each address on each interface; 0 for NULL. */
size_t arpflux_detection_count(const arpflux_detection *detection);

/** The address at a place, from 0; of family 0 beyond the last. */
arpflux_ip arpflux_detection_address_at(const arpflux_detection *detection, size_t at);

/** The name of the interface that the address at a place was asked for on. Borrowed; NULL beyond the last. */
const char *arpflux_detection_interface_at(const arpflux_detection *detection, size_t at);

/** How many others have the address at a place; 0 if it is free, or beyond the last. */
size_t arpflux_detection_conflict_count(const arpflux_detection *detection, size_t at);

/** The MAC of another one that has the address at a place. Borrowed; NULL beyond the last of either. */
const char *arpflux_detection_conflict_mac(const arpflux_detection *detection, size_t at, size_t conflict_at);

/**
 * The detection as one JSON object with `"schema": 1`, as `arpflux detect --json` prints it.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_detection_to_json(const arpflux_detection *detection, arpflux_error **err);

/** Frees a detection. NULL and detections already freed are left alone. */
void arpflux_detection_free(arpflux_detection *detection);

/**
 * What is wrong with the host that a snapshot shows. Nothing is sent or changed. `options` may be NULL.
 *
 * Returns a diagnosis to be freed with `arpflux_diagnosis_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE arpflux_diagnosis *arpflux_snapshot_diagnose(const arpflux_snapshot *snapshot,
                                             const arpflux_diagnose_options *options,
                                             arpflux_error **err);

/** How many findings there are; 0 for NULL. */
size_t arpflux_diagnosis_count(const arpflux_diagnosis *diagnosis);

/**
 * What it comes to: bad if a warning or an error is certain, undetermined if none is and something that decides is missing.
 * Undetermined for NULL.
 */
arpflux_judged arpflux_diagnosis_judged(const arpflux_diagnosis *diagnosis);

/** The findings for people, the worst first, several lines each; empty if there is none. Borrowed; NULL for NULL. */
const char *arpflux_diagnosis_text(const arpflux_diagnosis *diagnosis);

/**
 * The diagnosis as one JSON object with `"schema": 1`, as `arpflux diagnose --json` prints it.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_diagnosis_to_json(const arpflux_diagnosis *diagnosis, arpflux_error **err);

/** Frees a diagnosis, and with it all that was borrowed from it. NULL and diagnoses already freed are left alone. */
void arpflux_diagnosis_free(arpflux_diagnosis *diagnosis);

/** The stable number of the class of failure; `ARPFLUX_CODE_OK` for NULL. */
arpflux_code arpflux_error_code(const arpflux_error *error);

/** The system's error number, or 0 if no system call failed. */
int arpflux_error_errno(const arpflux_error *error);

/** What to do about it, not much longer than 4096 bytes, or NULL where that is not known. Borrowed from the error. */
const char *arpflux_error_hint(const arpflux_error *error);

/** All of it as one line for people, not much longer than 4096 bytes. Borrowed from the error; NULL for NULL. */
const char *arpflux_error_text(const arpflux_error *error);

/**
 * The exit code that the command `arpflux` ends with for this failure: 1 the answer is bad, 2 usage or a
 * bad file, 3 not permitted, 4 failed and restored, 5 failed and not fully restored; 0 for NULL.
 */
int arpflux_error_exit_code(const arpflux_error *error);

/** Whether the same call may succeed if it is made again. */
bool arpflux_error_is_transient(const arpflux_error *error);

/** Frees an error. NULL and errors already freed are left alone. */
void arpflux_error_free(arpflux_error *error);

/**
 * What the kernel does with a request, and why.
 *
 * Returns an explanation to be freed with `arpflux_explanation_free`, or NULL and sets `*err`:
 * `ARPFLUX_CODE_NOT_FOUND` if the snapshot has no such interface, `ARPFLUX_CODE_INVALID_INPUT` if the request is none.
 */
ARPFLUX_MUST_USE arpflux_explanation *arpflux_snapshot_explain(const arpflux_snapshot *snapshot,
                                              const arpflux_request *request,
                                              arpflux_error **err);

/** Whether the kernel answers; `ARPFLUX_ANSWER_UNDETERMINED` for NULL. */
arpflux_answer arpflux_explanation_answer(const arpflux_explanation *explanation);

/** All steps, one sentence a line. Borrowed; NULL for NULL. */
const char *arpflux_explanation_text(const arpflux_explanation *explanation);

/**
 * All of it as one JSON object with `"schema": 1`, as `arpflux explain --stdin --json` prints one in a line.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_explanation_to_json(const arpflux_explanation *explanation, arpflux_error **err);

/** Frees an explanation. NULL and explanations already freed are left alone. */
void arpflux_explanation_free(arpflux_explanation *explanation);

/**
 * The namespace of the calling thread.
 *
 * Returns a host to be freed with `arpflux_host_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE arpflux_host *arpflux_host_open_current(arpflux_error **err);

/**
 * A namespace by the name that `ip netns add` gave it, or, if there is a slash in it, by a path such as
 * `/proc/1234/ns/net`.
 *
 * Returns a host to be freed with `arpflux_host_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if there
 * is none, `ARPFLUX_CODE_INVALID_INPUT` if it is no network namespace.
 */
ARPFLUX_MUST_USE arpflux_host *arpflux_host_open_netns(const char *name_or_path, arpflux_error **err);

/**
 * The namespace that a file descriptor stands for: its own file, or any socket of it. The descriptor stays open.
 *
 * Returns a host to be freed with `arpflux_host_free`, or NULL and sets `*err`: `ARPFLUX_CODE_INVALID_INPUT` if it is
 * neither.
 */
ARPFLUX_MUST_USE arpflux_host *arpflux_host_open_fd(int fd, arpflux_error **err);

/**
 * Reads everything that decides about ARP there, consistently.
 *
 * Returns a snapshot to be freed with `arpflux_snapshot_free`, or NULL and sets `*err`:
 * `ARPFLUX_CODE_PERMISSION_DENIED` if the namespace may not be entered, `ARPFLUX_CODE_RACED` if it kept changing.
 */
ARPFLUX_MUST_USE arpflux_snapshot *arpflux_host_snapshot(const arpflux_host *host, arpflux_error **err);

/** Frees a host. NULL and hosts already freed are left alone. */
void arpflux_host_free(arpflux_host *host);

/**
 * What a plan does to answers on the host that `before` was taken from, for all senders and all targets. `policy` is the one the plan
 * was made for: effects on what it does not name come first.
 *
 * Returns an impact to be freed with `arpflux_impact_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE arpflux_impact *arpflux_plan_impact(const arpflux_plan *plan,
                                    const arpflux_snapshot *before,
                                    const arpflux_policy *policy,
                                    arpflux_error **err);

/** How many effects there are; 0: no answer changes (or NULL). */
size_t arpflux_impact_count(const arpflux_impact *impact);

/** How many effects are on addresses that the policy does not name; they come first. 0 for NULL. */
size_t arpflux_impact_victim_count(const arpflux_impact *impact);

/** All of it for people, several lines. Borrowed; NULL for NULL. */
const char *arpflux_impact_text(const arpflux_impact *impact);

/**
 * The impact as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_impact_to_json(const arpflux_impact *impact, arpflux_error **err);

/** Frees an impact, and with it all that was borrowed from it. NULL and impacts already freed are left alone. */
void arpflux_impact_free(arpflux_impact *impact);

/**
 * Reads an address such as `"192.168.18.101"` or `"fd00::1"`.
 *
 * Writes `*out` and returns true, or returns false and sets `*err`.
 */
bool arpflux_ip_parse(const char *text, arpflux_ip *out, arpflux_error **err);

/**
 * Writes an address as text, ending in NUL, into `buffer` of `size` bytes (`ARPFLUX_IP_TEXT_SIZE` is always
 * enough). Returns its length without the NUL; 0, and nothing written besides an empty text, if it does not fit or is no address.
 */
size_t arpflux_ip_format(arpflux_ip address, char *buffer, size_t size);

/**
 * Who answers for each address on each interface, for an ordinary neighbour and for an RFC 5227 probe. `options` may be
 * NULL.
 *
 * Returns a matrix to be freed with `arpflux_matrix_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if the
 * snapshot has no such interface.
 */
ARPFLUX_MUST_USE arpflux_matrix *arpflux_snapshot_matrix(const arpflux_snapshot *snapshot,
                                        const arpflux_matrix_options *options,
                                        arpflux_error **err);

/** How many interfaces there are; 0 for NULL. */
size_t arpflux_matrix_interface_count(const arpflux_matrix *matrix);

/** The name of the interface at a place, from 0. Borrowed from the matrix; NULL beyond the last. */
const char *arpflux_matrix_interface_at(const arpflux_matrix *matrix, size_t at);

/**
 * Which wire the interface at a place is on, counted from 0: interfaces with overlapping subnets are taken to share one.
 * `SIZE_MAX` beyond the last.
 */
size_t arpflux_matrix_wire_at(const arpflux_matrix *matrix, size_t at);

/** How many addresses there are; 0 for NULL. */
size_t arpflux_matrix_address_count(const arpflux_matrix *matrix);

/**
 * The address at a place, from 0: IPv4 before IPv6, of each family the host's own, then those it proxies. Of family 0 beyond the last.
 */
arpflux_ip arpflux_matrix_address_at(const arpflux_matrix *matrix,
                                     size_t at);

/**
 * Whether one MAC at most answers for each address on each wire: good, bad (flux), or undetermined. Undetermined for NULL and for
 * a matrix without a cell.
 */
arpflux_judged arpflux_matrix_judged(const arpflux_matrix *matrix);

/** The same for the address at a place; undetermined beyond the last. */
arpflux_judged arpflux_matrix_judged_at(const arpflux_matrix *matrix, size_t at);

/** How many cells cannot be told, for a neighbour or for a probe; 0 for NULL. */
size_t arpflux_matrix_undetermined_count(const arpflux_matrix *matrix);

/**
 * What the interface at one place does with requests for the address at another. Borrowed from the matrix; NULL beyond the
 * last of either.
 */
const arpflux_cell *arpflux_matrix_cell(const arpflux_matrix *matrix, size_t address_at, size_t interface_at);

/** Whether an ordinary neighbour gets an answer; `ARPFLUX_ANSWER_UNDETERMINED` for NULL. */
arpflux_answer arpflux_cell_answer(const arpflux_cell *cell);

/** The MAC in the answer. Borrowed; NULL if there is none. */
const char *arpflux_cell_mac(const arpflux_cell *cell);

/** The rule that decided, in a few words, such as `"arp_ignore=1"` or `"proxy entry"`. Borrowed; NULL for NULL. */
const char *arpflux_cell_rule(const arpflux_cell *cell);

/**
 * The matrix as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_matrix_to_json(const arpflux_matrix *matrix, arpflux_error **err);

/** Frees a matrix, and with it all that was borrowed from it. NULL and matrices already freed are left alone. */
void arpflux_matrix_free(arpflux_matrix *matrix);

/** The name of an `ARPFLUX_CODE_...`, such as `"not_found"`; `"unknown"` for any other number. Static, as all names are. */
const char *arpflux_code_name(uint32_t code);

/** The name of an `ARPFLUX_ANSWER_...`. */
const char *arpflux_answer_name(uint32_t answer);

/** The name of an `ARPFLUX_CAUSE_...`. */
const char *arpflux_cause_name(uint32_t cause);

/** The name of an `ARPFLUX_CLAIM_KIND_...`. */
const char *arpflux_claim_kind_name(uint32_t kind);

/** The name of an `ARPFLUX_JUDGED_...`. */
const char *arpflux_judged_name(uint32_t judged);

/** The name of an `ARPFLUX_JUDGEMENT_...`. */
const char *arpflux_judgement_name(uint32_t judgement);

/** The name of an `ARPFLUX_MAKER_...`. */
const char *arpflux_maker_name(uint32_t maker);

/** The name of an `ARPFLUX_OUTCOME_...`. */
const char *arpflux_outcome_name(uint32_t outcome);

/** The name of an `ARPFLUX_PROOF_...`. */
const char *arpflux_proof_name(uint32_t proof);

/** The name of an `ARPFLUX_REMEDY_...`. */
const char *arpflux_remedy_name(uint32_t remedy);

/** The name of an `ARPFLUX_SUBJECT_...`. */
const char *arpflux_subject_name(uint32_t subject);

/** The name of an `ARPFLUX_WIRE_...`. */
const char *arpflux_wire_name(uint32_t wire);

/**
 * What the host does to send a packet: by which interface it leaves and, if that needs an ARP request, which addresses the
 * request carries, so what peers learn from it.
 *
 * Returns one JSON object with `"schema": 1`, as `arpflux explain --outgoing --json` prints it, a text to be freed with
 * `arpflux_string_free`; or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_snapshot_outgoing_to_json(const arpflux_snapshot *snapshot, const arpflux_packet *packet, arpflux_error **err);

/**
 * Makes a policy so, now and at every boot: the files of the host's own managers (sysctl.d, systemd, networkd, ifupdown,
 * NetworkManager) belong to the same transaction. On trial they are written when it is confirmed. `options` may be NULL.
 *
 * Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`, as `arpflux_policy_plan` and `arpflux_host_apply`.
 */
ARPFLUX_MUST_USE arpflux_receipt *arpflux_host_persist_policy(const arpflux_host *host,
                                             const arpflux_policy *policy,
                                             const arpflux_persist_options *options,
                                             arpflux_error **err);

/**
 * What the next boot of a host brings, compared with a snapshot of it: sysctls as systemd-sysctl sets them, and the policy that the
 * managers apply. `options` may be NULL.
 *
 * Returns one JSON object with `"schema": 1`, as `arpflux diagnose --persisted --json` prints it, a text to be freed with
 * `arpflux_string_free`; or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_snapshot_boot_to_json(const arpflux_snapshot *snapshot,
                                    const arpflux_persist_options *options,
                                    arpflux_error **err);

/**
 * What has to change on the host that the snapshot shows so that the policy holds. Nothing is changed by this, and the
 * snapshot may be of another machine. On a host where the policy holds already the plan is empty.
 *
 * Returns a plan to be freed with `arpflux_plan_free`, or NULL and sets `*err`: `ARPFLUX_CODE_REFUSED` if the policy would
 * not work there, `ARPFLUX_CODE_NOT_FOUND` if an interface is not there.
 */
ARPFLUX_MUST_USE arpflux_plan *arpflux_policy_plan(const arpflux_policy *policy, const arpflux_snapshot *snapshot, arpflux_error **err);

/**
 * The plan as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_plan_to_json(const arpflux_plan *plan, arpflux_error **err);

/** How many changes there are; 0: nothing has to change (or NULL). */
size_t arpflux_plan_change_count(const arpflux_plan *plan);

/** The change at a place, from 0, in the order they are made. Borrowed from the plan; NULL beyond the last. */
const arpflux_change *arpflux_plan_change_at(const arpflux_plan *plan, size_t at);

/**
 * What the plan harms on the host that the snapshot shows, and whether that is all; what `arpflux_host_apply` refuses.
 *
 * Returns an assessment to be freed with `arpflux_assessment_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE arpflux_assessment *arpflux_plan_assess(const arpflux_plan *plan, const arpflux_snapshot *before, arpflux_error **err);

/** All of it for people, several lines. Borrowed from the plan; NULL for NULL. */
const char *arpflux_plan_text(const arpflux_plan *plan);

/** Frees a plan. NULL and plans already freed are left alone. */
void arpflux_plan_free(arpflux_plan *plan);

/**
 * Reads a policy file, whose name ends in `.toml` or `.json`.
 *
 * Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err`: `ARPFLUX_CODE_INVALID_POLICY`
 * with `FILE:LINE:COLUMN` as its object, or any failure to read the file.
 */
ARPFLUX_MUST_USE arpflux_policy *arpflux_policy_from_path(const char *path, arpflux_error **err);

/**
 * Reads the TOML form of a policy. `source_name` stands for the file in errors.
 *
 * Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err` (`ARPFLUX_CODE_INVALID_POLICY`).
 */
ARPFLUX_MUST_USE arpflux_policy *arpflux_policy_from_toml(const char *text, const char *source_name, arpflux_error **err);

/**
 * Reads the JSON form of a policy. `source_name` stands for the file in errors.
 *
 * Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err` (`ARPFLUX_CODE_INVALID_POLICY`).
 */
ARPFLUX_MUST_USE arpflux_policy *arpflux_policy_from_json(const char *text, const char *source_name, arpflux_error **err);

/** The JSON form. Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`. */
ARPFLUX_MUST_USE char *arpflux_policy_to_json(const arpflux_policy *policy, arpflux_error **err);

/** How many `[[proxy]]` entries it has; 0 for NULL. */
size_t arpflux_policy_proxy_count(const arpflux_policy *policy);

/** The owner of the `[[proxy]]` at a place, from 0. Borrowed; NULL beyond the last. */
const char *arpflux_policy_owner_at(const arpflux_policy *policy, size_t at);

/** The interface of the `[[proxy]]` at a place, from 0. Borrowed; NULL beyond the last. */
const char *arpflux_policy_interface_at(const arpflux_policy *policy, size_t at);

/**
 * A copy of a policy in which `owner` has `count` `addresses`, answered for by `interface` alone; what the policy said of that owner
 * before is replaced. With no address the owner goes. `policy` itself stays as it is; NULL stands for an empty one.
 *
 * Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE arpflux_policy *arpflux_policy_with_proxy(const arpflux_policy *policy,
                                          const char *owner,
                                          const arpflux_ip *addresses,
                                          size_t count,
                                          const char *interface,
                                          arpflux_error **err);

/** Frees a policy. NULL and policies already freed are left alone. */
void arpflux_policy_free(arpflux_policy *policy);

/**
 * Asks who has addresses, as any peer would, and waits for late answers: at least `wait_ms`. `targets` is a list of `count` texts,
 * each an IPv4 or IPv6 address, a prefix (`192.168.18.0/24`) or a range (`192.168.18.10-192.168.18.20`). `options` and `tell` may be
 * NULL. If `tell` ends it, what was found so far is returned.
 *
 * Returns probes to be freed with `arpflux_probes_free`, or NULL and sets `*err`: `ARPFLUX_CODE_PERMISSION_DENIED`
 * without `CAP_NET_RAW`, `ARPFLUX_CODE_RACED` if replies came faster than they could be read.
 */
ARPFLUX_MUST_USE arpflux_probes *arpflux_host_probe(const arpflux_host *host,
                                   const char *const *targets,
                                   size_t count,
                                   const arpflux_probe_options *options,
                                   arpflux_progress_fn tell,
                                   void *context,
                                   arpflux_error **err);

/** How many addresses there are; 0 for NULL. */
size_t arpflux_probes_count(const arpflux_probes *probes);

/** The address at a place, from 0; of family 0 beyond the last. */
arpflux_ip arpflux_probes_address_at(const arpflux_probes *probes, size_t at);

/** What the answers for the address at a place mean; `ARPFLUX_JUDGEMENT_UNKNOWN` beyond the last. */
arpflux_judgement arpflux_probes_judgement_at(const arpflux_probes *probes, size_t at);

/** How many MACs answered for the address at a place; 0 beyond the last. */
size_t arpflux_probes_reply_count(const arpflux_probes *probes, size_t at);

/**
 * A MAC that answered for the address at a place, in the order of their first replies. Borrowed from the probes; NULL beyond
 * the last of either.
 */
const char *arpflux_probes_reply_mac(const arpflux_probes *probes, size_t at, size_t reply_at);

/**
 * The probes as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_probes_to_json(const arpflux_probes *probes, arpflux_error **err);

/** Frees probes, and with them all that was borrowed from them. NULL and probes already freed are left alone. */
void arpflux_probes_free(arpflux_probes *probes);

/**
 * Decides claims about a snapshot for all senders and all targets they are about, by the model of the kernel. `claims` is
 * a list of `count` pointers. Nothing is sent. Of IPv6 they are about solicitations to the address's group.
 *
 * Returns the proofs, in the order of the claims, to be freed with `arpflux_proofs_free`; or NULL and sets `*err`:
 * `ARPFLUX_CODE_NOT_FOUND` if the snapshot has no such interface.
 */
ARPFLUX_MUST_USE arpflux_proofs *arpflux_snapshot_prove(const arpflux_snapshot *snapshot,
                                       const arpflux_claim *const *claims,
                                       size_t count,
                                       arpflux_error **err);

/**
 * Decides, for each wire and each address that an interface on it holds or proxies, the claim that exactly one interface of
 * the wire answers; but for link-local IPv6 addresses. Interfaces with overlapping subnets are taken to share a wire.
 *
 * Returns the proofs, to be freed with `arpflux_proofs_free`; or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE arpflux_proofs *arpflux_snapshot_prove_wires(const arpflux_snapshot *snapshot, arpflux_error **err);

/** How many claims there were; 0 for NULL. */
size_t arpflux_proofs_count(const arpflux_proofs *proofs);

/** What became of the claim at a place, from 0; `ARPFLUX_PROOF_UNDETERMINED` beyond the last. */
arpflux_proof arpflux_proofs_at(const arpflux_proofs *proofs, size_t at);

/** The claim at a place, from 0, as a sentence. Borrowed; NULL beyond the last. */
const char *arpflux_proofs_sentence_at(const arpflux_proofs *proofs, size_t at);

/**
 * Why: how many requests stand for all, a request that tells against the claim, or what is missing. Borrowed; NULL
 * beyond the last.
 */
const char *arpflux_proofs_reason_at(const arpflux_proofs *proofs, size_t at);

/** How many things there are that the claims say nothing of; 0 for NULL. */
size_t arpflux_proofs_not_covered_count(const arpflux_proofs *proofs);

/** The one at a place, from 0, in a few words: `solicitations by unicast`. Borrowed; NULL beyond the last. */
const char *arpflux_proofs_not_covered_at(const arpflux_proofs *proofs, size_t at);

/** Whether there is a claim and all of them are proved; false for NULL. */
bool arpflux_proofs_all_proved(const arpflux_proofs *proofs);

/**
 * The proofs as one JSON object with `"schema": 1`, with counter-examples in full.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_proofs_to_json(const arpflux_proofs *proofs, arpflux_error **err);

/** Frees proofs. NULL and proofs already freed are left alone. */
void arpflux_proofs_free(arpflux_proofs *proofs);

/**
 * Lets an interface answer for `count` addresses behind this host, IPv4 (ARP) or IPv6 (NDP), as one transaction. What is there already
 * is no error. `options` may be NULL.
 *
 * Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if there is no such
 * interface, `ARPFLUX_CODE_REFUSED` if the host has one of the addresses itself, and as `arpflux_host_apply`.
 */
ARPFLUX_MUST_USE arpflux_receipt *arpflux_host_add_proxies(const arpflux_host *host,
                                          const char *interface,
                                          const arpflux_ip *addresses,
                                          size_t count,
                                          const arpflux_proxy_options *options,
                                          arpflux_error **err);

/**
 * Lets nobody here answer for `count` addresses any more: on one interface, or, if that is NULL, on all. What is not there is no error.
 * `options` may be NULL.
 *
 * Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`, as `arpflux_host_apply`.
 */
ARPFLUX_MUST_USE arpflux_receipt *arpflux_host_remove_proxies(const arpflux_host *host,
                                             const char *interface,
                                             const arpflux_ip *addresses,
                                             size_t count,
                                             const arpflux_apply_options *options,
                                             arpflux_error **err);

/**
 * Plans a policy for the present state and makes it so; no other run of arpflux comes between. `options` may be NULL.
 *
 * Returns a receipt to be freed with `arpflux_receipt_free`, or NULL and sets `*err`, as `arpflux_policy_plan` and
 * `arpflux_host_apply`.
 */
ARPFLUX_MUST_USE arpflux_receipt *arpflux_host_apply_policy(const arpflux_host *host,
                                           const arpflux_policy *policy,
                                           const arpflux_apply_options *options,
                                           arpflux_error **err);

/**
 * Recommends a policy for the host that a snapshot shows, tried on a copy of it and proved there. Nothing is sent or changed.
 *
 * Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err`: `ARPFLUX_CODE_REFUSED` if no
 * policy would work on this host as it is.
 */
ARPFLUX_MUST_USE arpflux_policy *arpflux_snapshot_recommend(const arpflux_snapshot *snapshot, arpflux_error **err);

/**
 * The same with reasons and proof.
 *
 * Returns one JSON object with `"schema": 1`, as `arpflux recommend --json` prints it, a text to be freed with
 * `arpflux_string_free`; or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_snapshot_recommend_to_json(const arpflux_snapshot *snapshot, arpflux_error **err);

/**
 * Who answers for each address that one of several hosts holds or proxies, on the wires they share. `names` and `snapshots` are
 * lists of `count` items: what to call each host, and its state.
 *
 * `ports` are the `port_count` interfaces that share a wire; NULL: interfaces whose subnets overlap are taken to share one, and
 * there may be several wires.
 *
 * Returns one JSON object with `"schema": 1`, as `arpflux explain --also --json` prints it, a text to be freed with
 * `arpflux_string_free`; or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if there is no such interface.
 */
ARPFLUX_MUST_USE char *arpflux_segments_to_json(const char *const *names,
                               const arpflux_snapshot *const *snapshots,
                               size_t count,
                               const arpflux_port *ports,
                               size_t port_count,
                               arpflux_error **err);

/**
 * Reads a snapshot that `arpflux_snapshot_to_json` or `arpflux snapshot --json` wrote: `length` bytes, which need no NUL.
 *
 * Returns a snapshot to be freed with `arpflux_snapshot_free`, or NULL and sets `*err`
 * (`ARPFLUX_CODE_INVALID_DATA`).
 */
ARPFLUX_MUST_USE arpflux_snapshot *arpflux_snapshot_from_json(const char *text, size_t length, arpflux_error **err);

/**
 * Reads such a snapshot from a file.
 *
 * Returns a snapshot to be freed with `arpflux_snapshot_free`, or NULL and sets `*err`
 * (`ARPFLUX_CODE_INVALID_DATA`, or any failure to read the file).
 */
ARPFLUX_MUST_USE arpflux_snapshot *arpflux_snapshot_from_path(const char *path, arpflux_error **err);

/**
 * The snapshot as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_snapshot_to_json(const arpflux_snapshot *snapshot, arpflux_error **err);

/**
 * The same host with other names, addresses and MACs, alike wherever they stand and otherwise at each call, for a report that a stranger
 * may read: everything says the same of it. The last byte of IPv4 addresses and numbers (tables, VLANs, marks, sysctls) stay.
 *
 * Returns a snapshot to be freed with `arpflux_snapshot_free`, or NULL and sets `*err`: `ARPFLUX_CODE_UNSUPPORTED` if a packet
 * filter looks at addresses in a way that cannot be kept.
 */
ARPFLUX_MUST_USE arpflux_snapshot *arpflux_snapshot_anonymised(const arpflux_snapshot *snapshot,
                                              arpflux_error **err);

/** The release of the kernel that it was taken from, such as `"6.1.0-26-amd64"`. Borrowed; NULL for NULL. */
const char *arpflux_snapshot_kernel(const arpflux_snapshot *snapshot);

/** `net.ipv4.ip_forward`; 0 for NULL. */
int32_t arpflux_snapshot_ip_forward(const arpflux_snapshot *snapshot);

/**
 * How much there is that can answer, drop or change ARP frames besides the kernel (packet filters, programs that listen),
 * or that could not be read; 0 for NULL.
 */
size_t arpflux_snapshot_interference_count(const arpflux_snapshot *snapshot);

/** The interference at a place, from 0, in words. Borrowed from the snapshot; NULL beyond the last. */
const char *arpflux_snapshot_interference_at(const arpflux_snapshot *snapshot, size_t at);

/** Frees a snapshot, and with it all that was borrowed from it. NULL and snapshots already freed are left alone. */
void arpflux_snapshot_free(arpflux_snapshot *snapshot);

/** How many interfaces there are; 0 for NULL. */
size_t arpflux_snapshot_interface_count(const arpflux_snapshot *snapshot);

/** The interface at a place, from 0, in the order of their numbers. Borrowed from the snapshot; NULL beyond the last. */
const arpflux_interface *arpflux_snapshot_interface_at(const arpflux_snapshot *snapshot, size_t at);

/** The interface of that name. Borrowed from the snapshot; NULL if there is none. */
const arpflux_interface *arpflux_snapshot_interface_by_name(const arpflux_snapshot *snapshot, const char *name);

/** The interface of that number, which entries, changes and rules are known by. Borrowed from the snapshot; NULL if there is none. */
const arpflux_interface *arpflux_snapshot_interface_by_index(const arpflux_snapshot *snapshot, uint32_t index);

/** Its name. Borrowed; NULL for NULL. Interface names are bytes: they need not be UTF-8. */
const char *arpflux_interface_name(const arpflux_interface *interface);

/** Its number; 0 for NULL. */
uint32_t arpflux_interface_index(const arpflux_interface *interface);

/** Its link-layer address as text, such as `"00:0c:29:b3:a2:54"`; empty if it has none. Borrowed; NULL for NULL. */
const char *arpflux_interface_mac(const arpflux_interface *interface);

/** Whether the kernel handles ARP on it at all: up, not loopback, not `NOARP`. */
bool arpflux_interface_speaks_arp(const arpflux_interface *interface);

/** How many proxy entries of both families there are; 0 for NULL. */
size_t arpflux_snapshot_proxy_count(const arpflux_snapshot *snapshot);

/** The proxy entry at a place, from 0, in the kernel's order. Borrowed from the snapshot; NULL beyond the last. */
const arpflux_proxy *arpflux_snapshot_proxy_at(const arpflux_snapshot *snapshot, size_t at);

/** The address answered for; of family 0 for NULL. */
arpflux_ip arpflux_proxy_address(const arpflux_proxy *proxy);

/** The number of the interface it answers on; 0: on all. */
uint32_t arpflux_proxy_interface(const arpflux_proxy *proxy);

/**
 * A flag that is not raised.
 *
 * Returns a flag to be freed with `arpflux_stop_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE arpflux_stop *arpflux_stop_new(arpflux_error **err);

/**
 * From now on nothing that has this flag waits any longer: it comes back within 250 ms with `ARPFLUX_CODE_INTERRUPTED`. May be
 * called from a signal handler: it stores a number and writes to a descriptor, and leaves `errno` as it was.
 */
void arpflux_stop_raise(arpflux_stop *stop);

/**
 * From now on a call that is given this flag also ends when a handler of a signal runs on the calling thread meanwhile, as EINTR ends a
 * system call: with `ARPFLUX_CODE_INTERRUPTED`, whatever `SA_RESTART` says, and without the flag's being raised. Signals are blocked while
 * such a call works, and come in where it waits or when it is over; those that come between two calls end none. NULL is left alone.
 */
void arpflux_stop_at_signals(arpflux_stop *stop);

/** Whether it was raised; false for NULL. */
bool arpflux_stop_is_raised(const arpflux_stop *stop);

/** Frees a flag; what waits with it goes on waiting. NULL and flags already freed are left alone. Not to be called from a handler. */
void arpflux_stop_free(arpflux_stop *stop);

/** Frees a text that arpflux returned as `char *`. NULL, and what is not such a text, is left alone. */
void arpflux_string_free(char *text);

/**
 * Checks a snapshot against a policy: every value, entry, rule and route, and by the model of the kernel that each address
 * is answered by its own interface and no other, for all senders and targets. Nothing is sent.
 *
 * Returns a report to be freed with `arpflux_report_free`, which also tells what is not as it should be; or NULL and sets `*err`
 * (`ARPFLUX_CODE_INVALID_POLICY`).
 */
ARPFLUX_MUST_USE arpflux_report *arpflux_policy_verify(const arpflux_policy *policy, const arpflux_snapshot *snapshot, arpflux_error **err);

/**
 * Takes a snapshot of the host and checks it as `arpflux_policy_verify` does; with `wire`, by frames as well: each address of
 * the policy is asked for, and one interface may answer. That takes a second and more, as proxies answer late. What a killed run
 * left is undone first; a change on trial that was not undone in time leaves the report open. `options` may be NULL.
 *
 * Returns a report to be freed with `arpflux_report_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE arpflux_report *arpflux_host_verify(const arpflux_host *host,
                                    const arpflux_policy *policy,
                                    const arpflux_verify_options *options,
                                    arpflux_error **err);

/**
 * True if the report is good; else false, and sets `*err` to an error that names the first thing that is not so
 * (`ARPFLUX_CODE_VERIFY_FAILED`), or what cannot be told (`ARPFLUX_CODE_UNDETERMINED`).
 */
bool arpflux_report_check(const arpflux_report *report, arpflux_error **err);

/** What it comes to: good, bad (something is not so, or nothing was checked), or undetermined. Undetermined for NULL. */
arpflux_judged arpflux_report_judged(const arpflux_report *report);

/** How many things were checked; 0 for NULL. */
size_t arpflux_report_check_count(const arpflux_report *report);

/** How much is not as the policy says; 0 for NULL. */
size_t arpflux_report_failure_count(const arpflux_report *report);

/** The failure at a place, from 0, as a sentence. Borrowed from the report; NULL beyond the last. */
const char *arpflux_report_failure_at(const arpflux_report *report, size_t at);

/** How much cannot be told from the snapshot; 0 for NULL. */
size_t arpflux_report_undetermined_count(const arpflux_report *report);

/** What cannot be told, at a place from 0, as a sentence. Borrowed from the report; NULL beyond the last. */
const char *arpflux_report_undetermined_at(const arpflux_report *report, size_t at);

/**
 * The report as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_report_to_json(const arpflux_report *report, arpflux_error **err);

/** Frees a report. NULL and reports already freed are left alone. */
void arpflux_report_free(arpflux_report *report);

/**
 * The version of the library that is linked, such as `"0.1.0"`. Static; do not free it.
 * `ARPFLUX_VERSION` is that of the header.
 */
const char *arpflux_version(void);

/**
 * Begins to watch. Nothing is done before the first `arpflux_watch_step` or `arpflux_watch_wait`, which looks at everything.
 * `options` may be NULL.
 *
 * Returns a watch to be freed with `arpflux_watch_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE arpflux_watch *arpflux_host_watch(const arpflux_host *host,
                                  const arpflux_policy *policy,
                                  const arpflux_watch_options *options,
                                  arpflux_error **err);

/**
 * A file descriptor that is readable when `arpflux_watch_step` has something to do: for poll(2), epoll(7) and the event loops made of
 * them. It belongs to the watch; do not read or close it. -1 for NULL.
 */
int arpflux_watch_fd(const arpflux_watch *watch);

/**
 * Does what is to be done now, without waiting, and hands each drift to `each` (which may be NULL). To be called when the descriptor is
 * readable.
 *
 * Returns true, or false and sets `*err` if the kernel can no longer be asked: the namespace itself, or memory, is gone.
 */
bool arpflux_watch_step(arpflux_watch *watch,
                        arpflux_drift_fn each,
                        void *context,
                        arpflux_error **err);

/**
 * Waits for news up to `timeout_ms` (-1: without end) and does what is to be done; hands each drift to `each` (which may be NULL). Comes
 * back with the first drift, when the time is over, or when a handler of the calling thread ran. `stop` may be NULL.
 *
 * Returns true, or false and sets `*err`, as `arpflux_watch_step`; `ARPFLUX_CODE_INTERRUPTED` once `stop` was raised, or when a handler
 * ran and `arpflux_stop_at_signals` was asked for.
 */
bool arpflux_watch_wait(arpflux_watch *watch,
                        int64_t timeout_ms,
                        const arpflux_stop *stop,
                        arpflux_drift_fn each,
                        void *context,
                        arpflux_error **err);

/**
 * Watches for another policy from now on; the next step looks at everything.
 *
 * Returns true, or false and sets `*err`.
 */
bool arpflux_watch_set_policy(arpflux_watch *watch, const arpflux_policy *policy, arpflux_error **err);

/** Ends a watch, and closes its descriptor once no other thread is in a call on it. NULL and watches already freed are left alone. */
void arpflux_watch_free(arpflux_watch *watch);

/** What made the watch look; `ARPFLUX_CAUSE_UNKNOWN` for NULL. */
arpflux_cause arpflux_drift_cause(const arpflux_drift *drift);

/** What became of it; `ARPFLUX_REMEDY_UNKNOWN` for NULL. */
arpflux_remedy arpflux_drift_remedy(const arpflux_drift *drift);

/** Why it could not be put right, or the policy cannot be kept, as one line. Borrowed; NULL where nothing failed. */
const char *arpflux_drift_error(const arpflux_drift *drift);

/** All of it for people, a line and one more for each change. Borrowed; NULL for NULL. */
const char *arpflux_drift_text(const arpflux_drift *drift);

/**
 * All of it as one JSON object with `"schema": 1`.
 *
 * Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
 */
ARPFLUX_MUST_USE char *arpflux_drift_to_json(const arpflux_drift *drift, arpflux_error **err);

/** How many changes it takes to put it right; 0 for NULL. */
size_t arpflux_drift_change_count(const arpflux_drift *drift);

/**
 * The change at a place, from 0: its `before` is what was found, its `after` what the policy says. Borrowed from the drift; NULL beyond
 * the last.
 */
const arpflux_change *arpflux_drift_change_at(const arpflux_drift *drift,
                                              size_t at);

/**
 * Finds out which of `count` interfaces of the host share a wire, by a frame from each that the others hear. The frame teaches nobody
 * anything. `interfaces` may be NULL: all Ethernet interfaces that take ARP requests; an empty list is refused. `options` may be NULL.
 *
 * Returns one JSON object with `"schema": 1`, as `arpflux segments --json` prints it, a text to be freed with
 * `arpflux_string_free`; or NULL and sets `*err`: `ARPFLUX_CODE_PERMISSION_DENIED` without `CAP_NET_RAW`.
 */
ARPFLUX_MUST_USE char *arpflux_host_wires_to_json(const arpflux_host *host,
                                 const char *const *interfaces,
                                 size_t count,
                                 const arpflux_wires_options *options,
                                 arpflux_error **err);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ARPFLUX_H */
