//! What is answered to words that are typed wrongly or out of habit.

use std::process::{Command, Output};

fn arpflux(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_arpflux")).args(arguments).output().expect("arpflux runs")
}

#[test]
fn a_usage_error_is_json_with_json() {
    let output = arpflux(&["explain", "1.2.3", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(answer["schema"], 1);
    assert_eq!(answer["error"]["kind"], "invalid_input");
    assert!(answer["error"]["message"].as_str().is_some_and(|text| text.contains("1.2.3")), "{answer}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("1.2.3"));
}

#[test]
fn words_of_habit_are_understood() {
    for (typed, verb) in [(&["undo", "--help"][..], "rollback"), (&["status", "--help"], "diagnose")] {
        let output = arpflux(typed);
        assert_eq!(output.status.code(), Some(0), "{typed:?}");
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(help.contains(&format!("arpflux {verb}")), "{help}");
    }
    assert_eq!(arpflux(&["proxy", "rm", "--help"]).status.code(), Some(0));
}
