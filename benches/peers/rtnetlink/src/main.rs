//! The rtnetlink crate at the same work: `snapshot`, `proxies add|del INTERFACE COUNT`.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::neighbour::{NeighbourFlags, NeighbourState};
use rtnetlink::{Handle, IpVersion};

type Outcome = Result<u64, Box<dyn std::error::Error>>;

async fn count<T>(stream: impl futures_util::Stream<Item = Result<T, rtnetlink::Error>>) -> Outcome {
    let mut stream = Box::pin(stream);
    let mut messages = 0;
    while stream.try_next().await?.is_some() {
        messages += 1;
    }
    Ok(messages)
}

/// Everything that a snapshot holds, but the sysctls of `all` and `default` and the neighbour tables.
async fn snapshot(handle: &Handle) -> Outcome {
    let links = count(handle.link().get().execute()).await?;
    count(handle.address().get().execute()).await?;
    for version in [IpVersion::V4, IpVersion::V6] {
        count(handle.rule().get(version.clone()).execute()).await?;
    }
    let mut route = rtnetlink::packet_route::route::RouteMessage::default();
    for family in [rtnetlink::packet_route::AddressFamily::Inet, rtnetlink::packet_route::AddressFamily::Inet6] {
        route.header.address_family = family;
        count(handle.route().get(route.clone()).execute()).await?;
    }
    count(handle.neighbours().get().execute()).await?;
    Ok(links + count(handle.neighbours().get().proxies().execute()).await?)
}

async fn proxies(handle: &Handle, edit: &str, interface: &str, entries: u32) -> Outcome {
    let mut links = handle.link().get().match_name(interface.to_owned()).execute();
    let index = links.try_next().await?.ok_or("no such interface")?.header.index;
    for at in 0..entries {
        // Deletes the newest first.
        let at = if edit == "add" { at } else { entries - 1 - at };
        let address = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | at));
        let request = handle
            .neighbours()
            .add(index, address)
            .flags(NeighbourFlags::Proxy)
            .state(NeighbourState::Permanent);
        if edit == "add" {
            request.execute().await?;
        } else {
            let mut request = request;
            let message = std::mem::take(request.message_mut());
            handle.neighbours().del(message).execute().await?;
        }
    }
    Ok(entries.into())
}

fn cpu() -> Result<i128, nix::Error> {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
    Ok(i128::from(now.tv_sec()) * 1_000_000_000 + i128::from(now.tv_nsec()))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        let (begun, cpu_before) = (Instant::now(), cpu()?);
        let result = match arguments[..] {
            ["snapshot"] => snapshot(&handle).await?,
            ["proxies", edit, interface, entries] => {
                proxies(&handle, edit, interface, entries.parse()?).await?
            }
            _ => return Err("snapshot, or proxies add|del INTERFACE COUNT".into()),
        };
        let (wall, spent) = (begun.elapsed(), cpu()? - cpu_before);
        println!("{{\"cpu_ns\":{spent},\"wall_ns\":{},\"result\":{result}}}", wall.as_nanos());
        Ok(())
    })
}
