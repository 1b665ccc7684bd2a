//! Fields as other programs write them.

use crate::contract::settings::Doubt;

/// Names of fields that templates of other programs have, too.
const FIELDS: [&str; 5] = ["topic", "partition", "date", "host", "key"];

/// Ways to write a field that other programs have.
pub(crate) fn doubt(setting: &'static str, text: &str) -> Option<Doubt> {
    let found = |problem, hint| Some(Doubt { setting, problem, hint });
    if let Some((_, inner)) = text.split_once("{{")
        && let Some((field, _)) = inner.split_once("}}")
        && let name = field.trim().trim_start_matches('.')
        && FIELDS.iter().any(|known| name == *known || name.starts_with("header."))
    {
        let problem = format!("has `{{{{{field}}}}}`, which stands for the text {{{field}}}");
        return found(problem, format!("write {{{name}}} with single braces"));
    }
    let outside = outside_of_braces(text);
    let percent = outside.split('%').skip(1).find_map(|rest| rest.chars().next());
    if let Some(letter) =
        percent.filter(|letter| matches!(letter, 'Y' | 'm' | 'd' | 'H' | 'y' | 'F'))
    {
        let problem = format!("has `%{letter}` outside of braces, which stands for itself");
        return found(problem, "write {date:%Y-%m-%d}".to_owned());
    }
    None
}

fn outside_of_braces(text: &str) -> String {
    let mut depth = 0_usize;
    let mut outside = String::new();
    for letter in text.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ if depth == 0 => outside.push(letter),
            _ => {}
        }
    }
    outside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_as_other_programs_write_them_are_doubted_and_ours_are_not() {
        for (text, doubted) in [
            ("logs-{topic}-{date:%Y.%m.%d}", false),
            ("a{{b}}/{key|100%}", false),
            ("100%/x", false),
            ("{{topic}}", true),
            ("{{ .host }}/x", true),
            ("logs-{{header.app}}", true),
            ("out/%Y-%m-%d.log", true),
        ] {
            assert_eq!(doubt("path", text).is_some(), doubted, "{text}");
        }
    }
}
