//! Applies one policy in the namespaces of many pods, side by side, and says of each what became of it and what is to
//! be done next: `node_agent POLICY STATE-FOLDER POD...`, where a pod is a process, a path or a name.

use std::path::Path;
use std::time::Duration;

use arpflux_core::apply::{Confirm, Options, Outcome};
use arpflux_core::{Error, ErrorKind, Host, Policy, Stop, verify};

fn open(pod: &str) -> Result<Host, Error> {
    match pod.parse() {
        Ok(process) => Host::of_process(process),
        Err(_) if pod.contains('/') => Host::at(pod.as_ref()),
        Err(_) => Host::netns(pod),
    }
}

fn one(pod: &str, policy: &Policy, state: &Path, stop: &Stop) -> Result<String, Error> {
    let host = open(pod)?;
    // Another writer in the same namespace is waited for; raising `stop` from any thread ends the wait.
    let options = Options::from(Confirm::Now).state_dir(state).lock_wait(Duration::from_secs(2));
    let applied = host.apply_with(options.stop(stop.clone()), |snapshot| policy.plan(snapshot))?;
    let report = verify::check(policy, &host.snapshot()?)?.into_result()?;
    Ok(match applied.outcome {
        Outcome::Unchanged => format!("as the policy says, {} checks", report.checks),
        _ => format!("{} changes made, {} checks", applied.changes.len(), report.checks),
    })
}

/// What an agent does about a failure, by its kind alone.
fn next(error: &Error) -> &'static str {
    match error.kind() {
        kind if kind.is_transient() => "try again",
        ErrorKind::NotFound => "gone",
        ErrorKind::PermissionDenied => "not permitted",
        ErrorKind::Refused | ErrorKind::InvalidPolicy => "the policy does not fit",
        ErrorKind::PartlyApplied => "ALERT",
        _ => "failed",
    }
}

/// One line for each pod, and whether all went well.
pub(crate) fn run(policy: &Policy, state: &Path, pods: &[String]) -> (Vec<String>, bool) {
    let stop = Stop::default();
    let done: Vec<_> = std::thread::scope(|scope| {
        let pods = pods.iter().map(|pod| scope.spawn(|| one(pod, policy, state, &stop)));
        let running: Vec<_> = pods.collect();
        running.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    let good = done.iter().all(Result::is_ok);
    let line = |(pod, done): (&String, Result<String, Error>)| match done {
        Ok(done) => format!("{pod}: {done}"),
        Err(error) => format!("{pod}: {} [{}]: {error}", next(&error), error.kind()),
    };
    (pods.iter().zip(done).map(line).collect(), good)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [policy, state, pods @ ..] = arguments.as_slice() else {
        return Err("usage: node_agent POLICY STATE-FOLDER POD...".into());
    };
    let (lines, good) = run(&Policy::from_path(policy)?, state.as_ref(), pods);
    println!("{}", lines.join("\n"));
    if good { Ok(()) } else { Err("not everywhere".into()) }
}
