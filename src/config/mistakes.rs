//! Reads the types of a configuration; what does not fit is taken out, and the rest is read again, so that all mistakes
//! are told at once.

use serde::Deserialize;

use super::Config;
use super::fault::Fault;
use super::tree::{Node, Step};
use super::typed::Typed;

/// Mistakes that are told at most.
const TOLD_MAX: usize = 20;

/// The settings as types.
///
/// # Errors
/// Everything that does not fit.
pub(super) fn read(root: &Node) -> Result<Config, Vec<Fault>> {
    let mut fault = match Config::deserialize(Typed(root)) {
        Ok(config) => return Ok(config),
        Err(fault) => fault,
    };
    let (mut rest, mut faults, mut gone) = (root.clone(), Vec::new(), Vec::<Vec<Step>>::new());
    loop {
        let place = place_of(&fault);
        let is_cut = rest.cut(&place);
        // A block may only lack what was taken out of it; then it goes, too.
        let lacks = |path: &Vec<Step>| path.split_last().is_some_and(|(_, of)| of == fault.path);
        if fault.key.is_some() || !gone.iter().any(lacks) {
            faults.push(fault);
        }
        gone.push(place);
        if !is_cut || faults.len() == TOLD_MAX {
            return Err(faults);
        }
        match Config::deserialize(Typed(&rest)) {
            Ok(_) => return Err(faults),
            Err(next) => fault = next,
        }
    }
}

/// What is to be taken out. A list goes as a whole, so that its other entries keep their numbers.
fn place_of(fault: &Fault) -> Vec<Step> {
    let keys = fault.path.iter().take_while(|step| matches!(step, Step::Key(_)));
    let mut place: Vec<Step> = keys.cloned().collect();
    if place.len() == fault.path.len() {
        place.extend(fault.key.clone().map(Step::Key));
    }
    place
}
