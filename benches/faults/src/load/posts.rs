//! A client that posts lines, and sends again what was not answered with 200.

use super::Desk;
use crate::http::{self, Request};
use crate::oracle::Way;
use crate::random::{Random, number_of};

/// Posts to `address` until told to stop.
pub fn post(desk: &Desk, name: &str, address: &str) {
    let mut random = Random::of(&[desk.oracle.seed, number_of(name)]);
    desk.oracle.open(name, Way::Http);
    while !desk.stopped() {
        let count = 1 + random.size(40);
        let (first, lines) = desk.oracle.issue(name, count);
        let body = lines.join("\n") + "\n";
        let request =
            Request { method: "POST", path: "/", content_type: "text/plain", body: &body };
        loop {
            if http::send(address, request).is_ok_and(|answer| answer.status == 200) {
                desk.oracle.acknowledged(name, first, count);
                break;
            }
            if desk.stopped() {
                break;
            }
            desk.pause(random.between(20, 200));
            desk.oracle.sent_again(name, first, count);
        }
        desk.pause(random.between(10, 120));
    }
}
