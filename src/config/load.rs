//! Reads a file, or all files of a folder, into a [`Config`].

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::check::Invalid;
use super::document::Document;
use super::error::ConfigError;
use super::substitute::Variables;
use super::{Config, syntax};

/// Reads the file at `path`, or every `*.yaml` and `*.yml` of the folder there, in the order of their names.
///
/// # Errors
/// [`ConfigError::Read`] and [`ConfigError::Faulty`].
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    document(path)?.config()
}

/// Reads as [`load`] does, and judges as [`check`](super::check()) does; gives the warnings.
///
/// # Errors
/// As [`load`], together with what [`check`](super::check()) finds in the rest; and [`ConfigError::Invalid`] with all
/// that it found, each with its place, when everything fits and it is not only warnings.
pub fn load_checked(path: &Path) -> Result<(Config, Vec<Invalid>), ConfigError> {
    document(path)?.judged()
}

/// Reads a text as if it were the file `name`.
///
/// # Errors
/// [`ConfigError::Faulty`].
pub fn load_str(text: &str, name: &str) -> Result<Config, ConfigError> {
    let mut document = Document::new();
    document.add(name, text, &VARIABLES);
    document.config()
}

const VARIABLES: Variables<'static> = Variables {
    environment: &|name| std::env::var(name).ok(),
    file: &|path| fs::read_to_string(path).map_err(|cause| cause.to_string()),
};

/// Fills in what the configuration fills in: `${NAME}`, `${NAME:-default}`, `${file:PATH}`, `$$`.
///
/// # Errors
/// What cannot be filled in.
pub fn filled_in(text: &str) -> Result<String, String> {
    VARIABLES.filled_in(text)
}

fn document(path: &Path) -> Result<Document, ConfigError> {
    let files = if path.is_dir() { files_in(path)? } else { vec![path.to_owned()] };
    let mut document = Document::new();
    for file in files {
        let name = file.display().to_string();
        let bytes = fs::read(&file).map_err(|cause| unreadable(&file, &cause))?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => document.add(&name, text, &VARIABLES),
            Err(cause) => {
                document.add_unreadable(syntax::not_utf8(&name, &bytes, cause.valid_up_to()));
            }
        }
    }
    Ok(document)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let cannot = |cause: std::io::Error| unreadable(folder, &cause);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let yaml =
            path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && !hidden {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(ConfigError::Read {
            path: folder.to_owned(),
            cause: "the folder has no *.yaml file".to_owned(),
            hint: "name a file, or put one there; config/quickstart.yaml is an example",
        });
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, cause: &std::io::Error) -> ConfigError {
    let (cause, hint) = if cause.kind() == ErrorKind::NotFound {
        let hint = "name the file after the command; config/quickstart.yaml is an example";
        ("no such file".to_owned(), hint)
    } else if cause.kind() == ErrorKind::PermissionDenied {
        ("permission denied".to_owned(), "let the user that the agent runs as read it")
    } else {
        (cause.to_string(), "name a readable file or folder")
    };
    ConfigError::Read { path: path.to_owned(), cause, hint }
}
