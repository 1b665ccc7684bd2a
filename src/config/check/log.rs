//! `log`.

use tracing_subscriber::EnvFilter;

use super::findings::Findings;
use crate::config::LogConfig;
use crate::config::nearest::nearest;

/// How much is said.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
/// The parts of the program whose targets begin their directives.
const OURS: [&str; 2] = ["anabranch", "anabranch_connectors"];
const PATH: [&str; 2] = ["log", "level"];

pub(super) fn check(log: &LogConfig, findings: &mut Findings) {
    let before = findings.0.len();
    for directive in directives(&log.level) {
        check_directive(directive, findings);
    }
    if findings.0.len() == before && log.level.parse::<EnvFilter>().is_err() {
        let problem = format!("\"{}\" is not a level", log.level);
        findings.error(&PATH, problem, "write error, warn, info, debug, trace or off");
    }
}

/// Cut at commas outside of brackets, which hold the fields of spans.
fn directives(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |letter| {
        match letter {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    })
    .map(str::trim)
}

fn check_directive(directive: &str, findings: &mut Findings) {
    let (target, level) = match directive.rsplit_once('=') {
        Some((target, level)) if !level.contains([']', '}']) => (Some(target), level),
        _ => (None, directive),
    };
    if target.is_none() && directive.contains("::") {
        let hint = format!("write {directive}=debug");
        findings.error(&PATH, format!("\"{directive}\" names a part and no level"), hint);
    } else if !is_level(level) {
        let problem = format!("\"{level}\" is not a level");
        let hint = match nearest(level, &LEVELS) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if target.is_none() && OURS.contains(&level) => format!("write {level}=debug"),
            None => "write error, warn, info, debug, trace or off, or directives such as info,anabranch::log=debug".to_owned(),
        };
        findings.error(&PATH, problem, hint);
    }
    let Some(first) = target.and_then(|target| target.split([':', '[']).next()) else { return };
    if let Some(meant) = nearest(first, &OURS).filter(|_| !OURS.contains(&first)) {
        let problem = format!("nothing is called \"{first}\"");
        findings.warning(&PATH, problem, format!("did you mean `{meant}`?"));
    }
}

fn is_level(text: &str) -> bool {
    let is_number = text.parse::<u8>().is_ok_and(|number| number <= 5);
    is_number || LEVELS.iter().any(|level| text.eq_ignore_ascii_case(level)) || text.contains('[')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(level: &str) -> Vec<String> {
        let mut findings = Findings::default();
        let log = LogConfig { level: level.to_owned(), ..LogConfig::default() };
        check(&log, &mut findings);
        findings.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_a_level_or_a_directive_is_taken() {
        for level in [
            "info",
            "WARN",
            "off",
            "3",
            "info,anabranch::log=debug",
            "anabranch=trace, warn",
            "tokio=info,hyper::client=off",
            "info,[span{field=a}]=debug",
            "info,anabranch[x]=trace",
        ] {
            assert_eq!(found(level), Vec::<String>::new(), "{level}");
        }
    }

    #[test]
    fn a_word_that_is_no_level_is_refused_with_the_nearest() {
        for (level, hint) in [
            ("warning", "\"warning\" is not a level; did you mean `warn`?"),
            ("Warning", "\"Warning\" is not a level; did you mean `warn`?"),
            ("err", "\"err\" is not a level; did you mean `error`?"),
            ("information", "\"information\" is not a level; did you mean `info`?"),
            ("verbose", "\"verbose\" is not a level; did you mean `debug`?"),
            ("fatal", "\"fatal\" is not a level; did you mean `error`?"),
            ("quiet", "\"quiet\" is not a level; did you mean `off`?"),
            ("", "\"\" is not a level; write error, warn"),
            ("loud", "\"loud\" is not a level; write error, warn"),
            ("info,", "\"\" is not a level; write error, warn"),
            ("anabranch", "\"anabranch\" is not a level; write anabranch=debug"),
            (
                "anabranch::log",
                "\"anabranch::log\" names a part and no level; write anabranch::log=debug",
            ),
            ("info,anabranch=warning", "\"warning\" is not a level; did you mean `warn`?"),
            ("info,anabrnch=debug", "nothing is called \"anabrnch\"; did you mean `anabranch`?"),
        ] {
            let found = found(level);
            assert!(found.len() == 1 && found[0].contains(hint), "{level}: {found:?}");
        }
        assert_eq!(found("warning,debugging").len(), 2);
    }
}
