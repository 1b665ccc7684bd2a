//! What was measured, and how it is told.

use std::io::Write;

/// What was measured: name, value, unit.
pub(crate) type Figures = Vec<(&'static str, f64, &'static str)>;

/// Tells the figures of the case `name`: for people, or as one JSON object.
pub(super) fn print(
    name: &str,
    figures: &Figures,
    json: bool,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    if json {
        let mut object = serde_json::Map::new();
        object.insert("case".to_owned(), name.into());
        for (figure, value, _) in figures {
            object.insert((*figure).to_owned(), (*value).into());
        }
        writeln!(out, "{}", serde_json::Value::Object(object))?;
        return out.flush();
    }
    write!(out, "{name:<8}")?;
    for (figure, value, unit) in figures {
        let digits = if *value < 10.0 { 3 } else { 0 };
        write!(out, "  {figure} {value:.digits$} {unit}")?;
    }
    writeln!(out)?;
    out.flush()
}
