//! Measures one case after the other.

use std::io::Write;

use clap::ValueEnum;

use super::args::{BenchArgs, Case};
use super::cases::Rig;
use super::figures::print;
use super::stop;

/// Shortest line that holds what each case puts around it.
const LINE_BYTES_MIN: usize = 32;

/// Measures the cases that are named and prints each as it is done.
///
/// # Errors
/// What could not be run, in a sentence.
pub fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<(), String> {
    if args.line_bytes < LINE_BYTES_MIN {
        return Err(format!("--line-bytes must be at least {LINE_BYTES_MIN}"));
    }
    let mut cases = args.cases.clone();
    if cases.is_empty() {
        cases = Case::value_variants().to_vec();
        // The case `memory` makes 50,000 files, and takes some minutes.
        cases.retain(|case| *case != Case::Memory);
        cases.retain(|case| *case != Case::Kafka || args.bootstrap.is_some());
    }
    let _signals = stop::Signals::listen()?;
    let rig = Rig::new(args)?;
    for case in cases {
        let name = name(case);
        // What fails because of a signal fails in many ways; the signal is the reason.
        let figures = rig.measure(case, &name).or_else(|error| stop::check().and(Err(error)));
        print(&name, &figures?, args.json, out).map_err(|error| error.to_string())?;
        stop::check()?;
    }
    Ok(())
}

fn name(case: Case) -> String {
    case.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}
