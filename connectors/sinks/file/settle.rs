//! Brings a file to the length that is ours.

use std::fs::File;
use std::io;
use std::path::Path;

use tracing::warn;

use super::rotate::Place;
use super::which::Which;

/// Cuts `file` to the length that is ours; a file that is shorter has lost something, and another one than ours is not cut.
/// Gives where it stands.
///
/// # Errors
/// What the system says.
pub(super) fn settle(file: &File, path: &Path, place: Place) -> io::Result<Place> {
    let found = file.metadata()?;
    let length = place.length;
    let at = |length| Place { length, which: Which::of(&found), ..place };
    if !found.is_file() {
        return Ok(at(length));
    }
    // Of the same length it is a copy: somebody has moved the folder.
    if place.which.is_other(&found) && found.len() != length {
        let (expected, length) = (length, found.len());
        warn!(path = %path.display(), expected, length, "another file stands where one of this sink was; nothing of it is cut, and what comes is written behind it");
        return Ok(at(length));
    }
    if found.len() < length {
        let lost = length - found.len();
        warn!(path = %path.display(), lost, "a file is shorter than what was written to it; bytes are lost");
        return Ok(at(found.len()));
    }
    if found.len() > length {
        file.set_len(length)?;
    }
    Ok(at(length))
}
