//! `${NAME}`, `${NAME:-default}` and `${file:PATH}` inside values; `$$` is one `$`.
//!
//! What is put in is never read as YAML, nor looked through for more variables.

use super::tree::{Kind, Node, Step, Value};

/// Where variables come from.
pub(super) struct Variables<'a> {
    /// The value of an environment variable.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// The text of a file, or why it cannot be read.
    pub file: &'a dyn Fn(&str) -> Result<String, String>,
}

impl Variables<'_> {
    /// Substitutes in every value below `node`.
    ///
    /// # Errors
    /// The path of the first value where it cannot be done, and why.
    pub(super) fn substitute(&self, node: &mut Node) -> Result<(), (Vec<Step>, String)> {
        let within = |step: Step| {
            move |(mut path, problem): (Vec<Step>, String)| {
                path.insert(0, step);
                (path, problem)
            }
        };
        match &mut node.value {
            Value::Scalar(text, kind) => {
                if let Some(put_in) = self.expand(text).map_err(|problem| (Vec::new(), problem))? {
                    *text = put_in;
                    *kind = Kind::Substituted;
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.substitute(item).map_err(within(Step::Index(index)))?;
                }
            }
            Value::Map(entries) => {
                for (key, item) in entries {
                    self.substitute(item).map_err(within(Step::Key(key.clone())))?;
                }
            }
        }
        Ok(())
    }

    /// The text with its variables filled in.
    ///
    /// # Errors
    /// What cannot be filled in.
    pub(super) fn filled_in(&self, text: &str) -> Result<String, String> {
        Ok(self.expand(text)?.unwrap_or_else(|| text.to_owned()))
    }

    /// The text with its variables filled in; `None` when it has none.
    fn expand(&self, text: &str) -> Result<Option<String>, String> {
        if !text.contains("${") && !text.contains("$$") {
            return Ok(None);
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some(after) = after.strip_prefix('{') {
                let (variable, after) = after.split_once('}').ok_or(
                    "`${` has no `}`; write `${NAME}` for a variable, `$${` for the two characters",
                )?;
                out.push_str(&self.look_up(variable)?);
                rest = after;
            } else {
                out.push('$');
                rest = after;
            }
        }
        out.push_str(rest);
        Ok(Some(out))
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

    fn expand(text: &str) -> Result<Option<String>, String> {
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
            let problem = expand(text).unwrap_err();
            assert!(problem.contains(part), "{problem}");
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
