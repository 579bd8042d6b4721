//! `explain --stdin`: one JSON object a line in, one out, in order.

use std::collections::HashMap;
use std::io::{self, BufRead, Write as _};

use arpflux_core::predict::{Explanation, Malformed, Model, Question};
use arpflux_core::types::IfIndex;
use arpflux_core::{Error, Result, json};

use crate::output::shown;
use crate::{Output, exit};

/// The longest line that is read, in bytes. A question has some 150.
const LONGEST: usize = 4096;

/// Answers every line. A malformed one gets an object with `"error"`, and the stream goes on; so does one
/// that is too long, of which no more is kept than a question may have.
///
/// The exit code is 0 if every line was a question, 2 if one was not.
pub fn run(model: &Model<'_>, output: &Output) -> Result<u8> {
    let names: HashMap<String, IfIndex> = model
        .snapshot()
        .interfaces
        .iter()
        .map(|interface| (interface.name.to_string(), interface.index))
        .collect();
    let mut malformed = 0_usize;
    let mut input = std::io::BufReader::new(std::io::stdin().lock());
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read =
            next_line(&mut input, &mut line).map_err(|error| Error::io("read", "standard input", &error))?;
        if read == 0 {
            break;
        }
        if read <= LONGEST && line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let asked = if read > LONGEST {
            Err(format!("line {number} has more than {LONGEST} bytes, which is no question"))
        } else {
            answer(model, &names, &line)
        };
        let text = match asked {
            Ok(answer) => json::line(&answer)?,
            Err(error) => {
                malformed += 1;
                json::line(&Malformed::new(number, error))?
            }
        };
        // Whoever asks may wait for the answer before the next question, so nothing is held back unless
        // that question is here already.
        let waiting = input.buffer().contains(&b'\n');
        let written = out.write_all(shown(&text, false).as_bytes()).and_then(|()| out.write_all(b"\n"));
        match written.and_then(|()| if waiting { Ok(()) } else { out.flush() }) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => break,
            Err(error) => return Err(Error::io("write", "standard output", &error)),
        }
    }
    if malformed == 0 {
        return Ok(exit::GOOD);
    }
    output.note(format_args!("{malformed} lines were no questions"));
    Ok(exit::USAGE)
}

/// Reads a line, but keeps no more than a question may have, and says how long it was with its end (or how
/// long it is without, at the end of the input). 0: there are no more.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    let mut length = 0_usize;
    loop {
        let part = match input.fill_buf() {
            Ok(part) => part,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = part.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(part.len(), |end| end + 1);
        let room = LONGEST.saturating_sub(line.len());
        line.extend_from_slice(&part[..taken.min(room)]);
        input.consume(taken);
        length = length.saturating_add(taken);
        if end.is_some() || taken == 0 {
            return Ok(length);
        }
    }
}

fn answer(model: &Model<'_>, names: &HashMap<String, IfIndex>, line: &[u8]) -> Result<Explanation, String> {
    let question = Question::from_json(line)?;
    let Some(interface) = names.get(&question.iface) else {
        return Err(format!("there is no interface {:?}", question.iface));
    };
    Ok(model.explain(&question.request(*interface)?))
}
