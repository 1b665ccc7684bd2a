//! The program `anabranch`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let path = std::env::args().nth(2).unwrap_or_default();
    anabranch::cli::run::run(path.as_ref())
}
