//! Reads a template's text.

use super::part::{DatePart, Field, Part, UNKNOWN};

const KNOWN: &str = "known are `{topic}`, `{partition}`, `{date}`, `{date:%Y.%m.%d}`, `{host}`, \
                     `{header.NAME}`, `{key}`, each with a default as in `{host|none}`; \
                     write `{{` for a brace";

pub(super) fn parse(text: &str) -> Result<Vec<Part>, String> {
    let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
    while let Some((before, from)) = rest.find(['{', '}']).and_then(|at| rest.split_at_checked(at))
    {
        plain.push_str(before);
        if let Some(tail) = from.strip_prefix("{{") {
            plain.push('{');
            rest = tail;
        } else if let Some(tail) = from.strip_prefix("}}") {
            plain.push('}');
            rest = tail;
        } else if let Some(inner) = from.strip_prefix('{') {
            let (name, tail) = inner
                .split_once('}')
                .ok_or_else(|| format!("`{{{inner}` in \"{text}\" has no `}}`; {KNOWN}"))?;
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(field(name)?);
            rest = tail;
        } else {
            return Err(format!("\"{text}\" has a `}}` without `{{`; write `}}}}` for a brace"));
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

fn field(inner: &str) -> Result<Part, String> {
    let (name, default) = inner.split_once('|').unwrap_or((inner, UNKNOWN));
    let field = match name {
        "topic" => Field::Topic,
        "partition" => Field::Partition,
        "date" => Field::Date(date("%Y-%m-%d")?),
        "host" => Field::Header("host".to_owned()),
        "key" => Field::Key,
        _ => {
            if let Some(form) = name.strip_prefix("date:") {
                Field::Date(date(form)?)
            } else if let Some(header) = name.strip_prefix("header.") {
                if header.is_empty() {
                    return Err(format!("`{{{inner}}}` names no header; {KNOWN}"));
                }
                Field::Header(header.to_owned())
            } else if let Some(form) = name.strip_prefix('+') {
                // Logstash's and Filebeat's way.
                let form = in_percents(form);
                return Err(format!(
                    "unknown field `{{{inner}}}`; write `{{date:{form}}}` for a day"
                ));
            } else {
                return Err(format!("unknown field `{{{inner}}}`; {KNOWN}"));
            }
        }
    };
    Ok(Part::Field { field, default: default.to_owned() })
}

/// A form as Java and Go programs write it, in ours.
fn in_percents(form: &str) -> String {
    let form = [("yyyy", "%Y"), ("YYYY", "%Y"), ("2006", "%Y"), ("uuuu", "%Y")]
        .iter()
        .fold(form.trim_start_matches('+').to_owned(), |form, (theirs, ours)| {
            form.replace(theirs, ours)
        });
    let form = [("MM", "%m"), ("01", "%m"), ("dd", "%d"), ("DD", "%d"), ("02", "%d")]
        .iter()
        .fold(form, |form, (theirs, ours)| form.replace(theirs, ours));
    let form = [("HH", "%H"), ("hh", "%H"), ("15", "%H")]
        .iter()
        .fold(form, |form, (theirs, ours)| form.replace(theirs, ours));
    if form.contains('%') { form } else { "%Y-%m-%d".to_owned() }
}

fn date(form: &str) -> Result<Vec<DatePart>, String> {
    if form.is_empty() {
        return Err(
            "the form of `{date:}` is empty; write `{date}` or `{date:%Y.%m.%d}`".to_owned()
        );
    }
    if !form.contains('%') {
        return Err(format!(
            "`{{date:{form}}}` has no field such as `%Y`; write `{{date:{}}}`",
            in_percents(form)
        ));
    }
    let (mut parts, mut plain) = (Vec::new(), String::new());
    let mut letters = form.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            plain.push(letter);
            continue;
        }
        let part = match letters.next() {
            Some('Y') => DatePart::Year,
            Some('m') => DatePart::Month,
            Some('d') => DatePart::Day,
            Some('H') => DatePart::Hour,
            Some('%') => {
                plain.push('%');
                continue;
            }
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(format!(
                    "`%{other}` in `{{date:{form}}}` is not known; known are `%Y`, `%m`, `%d`, `%H`, `%%`"
                ));
            }
        };
        if !plain.is_empty() {
            parts.push(DatePart::Text(std::mem::take(&mut plain)));
        }
        parts.push(part);
    }
    if !plain.is_empty() {
        parts.push(DatePart::Text(plain));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_form_without_fields_is_refused_with_what_to_write() {
        for (text, meant) in [
            ("{date:yyyy-MM-dd}", "`{date:%Y-%m-%d}`"),
            ("{date:YYYY.MM.DD.HH}", "`{date:%Y.%m.%d.%H}`"),
            ("{date:2006-01-02}", "`{date:%Y-%m-%d}`"),
            ("{date:iso}", "`{date:%Y-%m-%d}`"),
            ("logs-%{+yyyy.MM.dd}", "`{date:%Y.%m.%d}`"),
        ] {
            let problem = parse(text).unwrap_err();
            assert!(problem.contains(meant), "{problem}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[a-z{}|.:% ]{0,30}") {
            if let Ok(parts) = parse(&text) {
                prop_assert!(parts.len() <= text.len());
            }
        }

        #[test]
        fn text_with_doubled_braces_is_itself(text in "[a-z{}é]{0,20}") {
            let doubled = text.replace('{', "{{").replace('}', "}}");
            let expected = if text.is_empty() { vec![] } else { vec![Part::Text(text)] };
            prop_assert_eq!(parse(&doubled).unwrap(), expected);
        }
    }
}
