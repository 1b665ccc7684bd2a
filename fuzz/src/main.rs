//! Fuzzes what faces bytes from outside: the broker's requests, record batches, the log's files, and headers of proxies.
//!
//! `cargo test -p anabranch-fuzz --test fuzz -- [--target broker|batch|log|proxy] [--seconds N] [--seed S] [--api NAME]`;
//! `--write-corpus` writes a good frame of each API and version to `corpus/`. The input of what was found is kept in the
//! folder of temporary files; a frame goes to `corpus/crashers.txt` when it is mended, and is sent first in every later run.

mod allocator;
mod batch;
mod batches;
mod broker;
mod corpus;
mod log;
mod mutate;
mod proxy;
mod random;
mod report;
mod requests;

use std::process::ExitCode;

use report::Target;

#[global_allocator]
static ALLOCATOR: allocator::Counting = allocator::Counting;

struct Asked {
    target: Option<String>,
    seconds: u64,
    seed: u64,
    api: Option<String>,
    write_corpus: bool,
}

fn asked() -> Result<Asked, String> {
    let mut asked = Asked { target: None, seconds: 10, seed: 1, api: None, write_corpus: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--write-corpus" {
            asked.write_corpus = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
        let number =
            || value.parse().map_err(|_| format!("{argument} needs a number, not {value}"));
        match argument.as_str() {
            "--target" => asked.target = Some(value),
            "--seconds" => asked.seconds = number()?,
            "--seed" => asked.seed = number()?,
            "--api" => asked.api = Some(value),
            other => return Err(format!("{other} is not known")),
        }
    }
    Ok(asked)
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    if asked.write_corpus {
        corpus::write(&broker::all_served());
        return ExitCode::SUCCESS;
    }
    std::panic::set_hook(Box::new(|panic| {
        report::PANICS.lock().push(panic.to_string());
    }));
    match std::panic::catch_unwind(|| run(&asked)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(_told) => {
            let last = report::PANICS.lock().last().cloned().unwrap_or_default();
            eprintln!("the fuzzer itself panicked: {last}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing was found.
fn run(asked: &Asked) -> bool {
    let wanted = |name: &str| asked.target.as_ref().is_none_or(|target| target == name);
    let mut found_nothing = true;
    for name in ["broker", "batch", "log", "proxy"].into_iter().filter(|name| wanted(name)) {
        let mut target = Target::new(name);
        match name {
            "broker" => broker::run(&mut target, asked.seconds, asked.seed, asked.api.as_deref()),
            "batch" => batch::run(&mut target, asked.seconds, asked.seed),
            "log" => log::run(&mut target, asked.seconds, asked.seed),
            _ => proxy::run(&mut target, asked.seconds, asked.seed),
        }
        found_nothing &= target.finish();
    }
    found_nothing
}
