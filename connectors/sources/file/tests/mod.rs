//! The file source on real files, with a hub that stores what it is given.

mod blank;
mod clocks;
mod following;
mod hand;
mod hub;
mod linked;
mod looks;
mod model;
mod racing;
mod restarts;
mod rotating;
mod same;
mod unpaused;
mod unread;
