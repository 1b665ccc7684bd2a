//! The file source on real files, with a hub that stores what it is given.

mod following;
mod hand;
mod hub;
mod looks;
mod model;
mod racing;
mod restarts;
mod rotating;
mod unread;
