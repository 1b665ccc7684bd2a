//! `${NAME}`, `${NAME:-default}` and `${file:PATH}` inside values; `$$` is one `$`.
//!
//! What is put in is never read as YAML, nor looked through for more variables.

use super::tree::{Kind, Node, Step, Value};

/// What is said of a beginning without an end.
const UNCLOSED: &str =
    "`${` has no `}`; write `${NAME}` for a variable, `$${` for the two characters";

/// Where variables come from.
pub(super) struct Variables<'a> {
    /// The value of an environment variable.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// The text of a file, or why it cannot be read.
    pub file: &'a dyn Fn(&str) -> Result<String, String>,
}

/// Values with `$NAME`, as a shell fills them in, and the name.
pub(super) fn bare_variables(node: &Node) -> Vec<(Vec<Step>, String)> {
    let inside = |step: Step, node: &Node| {
        let found = bare_variables(node).into_iter();
        let step = move |(path, name)| ([vec![step.clone()], path].concat(), name);
        found.map(step).collect::<Vec<_>>()
    };
    match &node.value {
        Value::Scalar(text, Kind::Text) => {
            bare_variable(text).map(|name| (Vec::new(), name.to_owned())).into_iter().collect()
        }
        Value::Scalar(..) => Vec::new(),
        Value::List(items) => {
            let items = items.iter().enumerate();
            items.flat_map(|(index, item)| inside(Step::Index(index), item)).collect()
        }
        Value::Map(entries) => {
            entries.iter().flat_map(|(key, node)| inside(Step::Key(key.clone()), node)).collect()
        }
    }
}

/// The name behind the first `$` that only a shell would fill in; names are in capitals there.
fn bare_variable(text: &str) -> Option<&str> {
    if text.contains("$$") {
        return None;
    }
    text.split('$').skip(1).find_map(|rest| {
        let word =
            |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
        let name = rest.split(|letter| !word(letter)).next()?;
        name.starts_with(|letter: char| letter.is_ascii_uppercase()).then_some(name)
    })
}

impl Variables<'_> {
    /// Substitutes in every value below `node`; gives the paths of those where it cannot be done, and why.
    pub(super) fn substitute(&self, node: &mut Node) -> Vec<(Vec<Step>, String)> {
        let within = |step: Step, found: Vec<(Vec<Step>, String)>| {
            let step = move |(path, problem)| ([vec![step.clone()], path].concat(), problem);
            found.into_iter().map(step).collect::<Vec<_>>()
        };
        match &mut node.value {
            Value::Scalar(text, kind) => match self.expand(text) {
                Ok(None) => Vec::new(),
                Ok(Some(put_in)) => {
                    *text = put_in;
                    *kind = Kind::Substituted;
                    Vec::new()
                }
                Err(problems) => problems.into_iter().map(|why| (Vec::new(), why)).collect(),
            },
            Value::List(items) => {
                let items = items.iter_mut().enumerate();
                let found = items.map(|(at, item)| within(Step::Index(at), self.substitute(item)));
                found.flatten().collect()
            }
            Value::Map(entries) => {
                let found = entries
                    .iter_mut()
                    .map(|(key, item)| within(Step::Key(key.clone()), self.substitute(item)));
                found.flatten().collect()
            }
        }
    }

    /// The text with its variables filled in.
    ///
    /// # Errors
    /// What cannot be filled in.
    pub(super) fn filled_in(&self, text: &str) -> Result<String, String> {
        let expanded = self.expand(text).map_err(|problems| problems.join("; "))?;
        Ok(expanded.unwrap_or_else(|| text.to_owned()))
    }

    /// The text with its variables filled in; `None` when it has none.
    ///
    /// # Errors
    /// Everything that cannot be filled in.
    fn expand(&self, text: &str) -> Result<Option<String>, Vec<String>> {
        if !text.contains("${") && !text.contains("$$") {
            return Ok(None);
        }
        let mut out = String::with_capacity(text.len());
        let (mut rest, mut problems) = (text, Vec::new());
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some(after) = after.strip_prefix('{') {
                let Some((variable, after)) = after.split_once('}') else {
                    problems.push(UNCLOSED.to_owned());
                    break;
                };
                match self.look_up(variable) {
                    Ok(put_in) => out.push_str(&put_in),
                    Err(problem) => problems.push(problem),
                }
                rest = after;
            } else {
                out.push('$');
                rest = after;
            }
        }
        out.push_str(rest);
        if problems.is_empty() { Ok(Some(out)) } else { Err(problems) }
    }

    fn look_up(&self, variable: &str) -> Result<String, String> {
        if let Some(path) = variable.strip_prefix("file:") {
            let read = (self.file)(path);
            let text = read.map_err(|cause| format!("cannot read `{path}`: {cause}"))?;
            let line = text.strip_suffix('\n').unwrap_or(&text);
            return Ok(line.strip_suffix('\r').unwrap_or(line).to_owned());
        }
        let (name, default) = match variable.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (variable, None),
        };
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(word) {
            return Err(format!(
                "`${{{variable}}}` is not a variable; write `${{NAME}}`, `${{NAME:-default}}`, `${{file:PATH}}`, or \
                 `$${{` for the two characters"
            ));
        }
        let set = (self.environment)(name).filter(|text| default.is_none() || !text.is_empty());
        set.or_else(|| default.map(str::to_owned)).ok_or_else(|| {
            format!("the variable `{name}` is not set; set it, or write `${{{name}:-default}}`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<Option<String>, Vec<String>> {
        let environment = |name: &str| match name {
            "USER" => Some("ada".to_owned()),
            "EMPTY" => Some(String::new()),
            "EVIL" => Some("a: [b, ${USER}]\n- $$".to_owned()),
            _ => None,
        };
        let file = |path: &str| match path {
            "/secret" => Ok("hunter2\r\n".to_owned()),
            _ => Err("no such file".to_owned()),
        };
        Variables { environment: &environment, file: &file }.expand(text)
    }

    #[test]
    fn variables_defaults_files_and_escapes_are_filled_in() {
        for (text, expected) in [
            ("${USER}", "ada"),
            ("x${USER}y${USER}", "xadayada"),
            ("${NOBODY:-eve}", "eve"),
            ("${EMPTY:-eve}", "eve"),
            ("${NOBODY:-}", ""),
            ("${EMPTY}", ""),
            ("${file:/secret}", "hunter2"),
            ("$${USER}", "${USER}"),
            ("a$$b", "a$b"),
            ("$$", "$"),
            ("^a$|${USER}$", "^a$|ada$"),
            ("${EVIL}", "a: [b, ${USER}]\n- $$"),
        ] {
            assert_eq!(expand(text), Ok(Some(expected.to_owned())), "{text}");
        }
        assert_eq!(expand("^web-.*$"), Ok(None));
    }

    #[test]
    fn what_cannot_be_filled_in_says_why() {
        for (text, part) in [
            (
                "${NOBODY}",
                "the variable `NOBODY` is not set; set it, or write `${NOBODY:-default}`",
            ),
            ("${USER", "`${` has no `}`"),
            ("${a b}", "`${a b}` is not a variable"),
            ("${}", "`${}` is not a variable"),
            ("${file:/gone}", "cannot read `/gone`: no such file"),
        ] {
            let problems = expand(text).unwrap_err();
            assert!(problems.len() == 1 && problems[0].contains(part), "{problems:?}");
        }
    }

    #[test]
    fn a_variable_of_the_shell_is_seen_and_the_end_of_a_pattern_is_not() {
        for (text, name) in [
            ("$TOKEN", Some("TOKEN")),
            ("Bearer $API_KEY2!", Some("API_KEY2")),
            ("^web-.*$", None),
            ("^a$|^b$", None),
            ("$${TOKEN}", None),
            ("cost: 5$", None),
        ] {
            assert_eq!(bare_variable(text), name, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_expands_or_says_why(text in "[$ {}a:/-]{0,20}") {
            let _either = expand(&text);
        }

        #[test]
        fn escaped_text_comes_out_as_it_was(text in ".{0,40}") {
            let expanded = expand(&text.replace('$', "$$")).unwrap();
            proptest::prop_assert_eq!(expanded.unwrap_or_else(|| text.clone()), text);
        }
    }
}
