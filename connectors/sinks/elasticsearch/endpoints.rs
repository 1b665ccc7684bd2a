//! Several addresses of one cluster: they take turns, and one that fails is left out for a while.

use std::time::Duration;

use elasticsearch::http::transport::Transport;
use tokio::time::Instant;

/// How long an endpoint is left out after its first failure; doubled for each further one.
const AWAY: Duration = Duration::from_secs(1);
/// Doublings at most: 32 seconds.
const DOUBLINGS_MAX: u32 = 5;

#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) address: String,
    pub(super) transport: Transport,
    failures: u32,
    away_until: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Endpoints {
    all: Vec<Endpoint>,
    turn: usize,
}

impl Endpoints {
    pub(super) fn new(transports: Vec<(String, Transport)>) -> Self {
        let all = transports.into_iter().map(|(address, transport)| Endpoint {
            address,
            transport,
            failures: 0,
            away_until: None,
        });
        Self { all: all.collect(), turn: 0 }
    }

    /// The next in turn that is not left out; when all are, the one whose time ends first.
    pub(super) fn next(&mut self, now: Instant) -> Option<&mut Endpoint> {
        let count = self.all.len();
        let start = self.turn;
        let order = (0..count).map(|step| (start + step) % count);
        let is_here = |endpoint: &Endpoint| endpoint.away_until.is_none_or(|until| until <= now);
        let chosen = order
            .clone()
            .find(|index| self.all.get(*index).is_some_and(is_here))
            .or_else(|| order.min_by_key(|index| self.all.get(*index).map(|end| end.away_until)))?;
        self.turn = (chosen + 1) % count;
        self.all.get_mut(chosen)
    }

    /// How many are not left out.
    pub(super) fn here(&self, now: Instant) -> usize {
        self.all.iter().filter(|end| end.away_until.is_none_or(|until| until <= now)).count()
    }
}

impl Endpoint {
    pub(super) const fn answered(&mut self) {
        self.failures = 0;
        self.away_until = None;
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.away_until = Some(now + AWAY * (1 << self.failures.min(DOUBLINGS_MAX)));
        self.failures = self.failures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(count: usize) -> Endpoints {
        let one = |number: usize| (number.to_string(), Transport::default());
        Endpoints::new((0..count).map(one).collect())
    }

    fn turns(endpoints: &mut Endpoints, now: Instant) -> String {
        (0..4).map(|_| endpoints.next(now).unwrap().address.clone()).collect()
    }

    #[test]
    fn endpoints_take_turns_and_one_that_fails_is_left_out_for_a_while() {
        let mut endpoints = endpoints(3);
        let now = Instant::now();
        assert_eq!(turns(&mut endpoints, now), "0120");
        endpoints.next(now).unwrap().failed(now);
        assert_eq!((turns(&mut endpoints, now), endpoints.here(now)), ("2020".to_owned(), 2));
        let later = now + AWAY;
        assert_eq!(turns(&mut endpoints, later), "1201");
    }

    #[test]
    fn when_all_have_failed_the_first_to_come_back_is_tried() {
        let mut endpoints = endpoints(2);
        let now = Instant::now();
        endpoints.next(now).unwrap().failed(now);
        endpoints.next(now).unwrap().failed(now);
        let first = endpoints.next(now).unwrap();
        assert_eq!(first.address, "0");
        first.failed(now);
        assert_eq!(endpoints.next(now).unwrap().address, "1");
        assert_eq!(endpoints.here(now), 0);
        let second = endpoints.next(now).unwrap();
        second.answered();
        assert_eq!(endpoints.here(now), 1);
    }

    #[test]
    fn no_endpoint_is_none() {
        assert!(Endpoints::new(Vec::new()).next(Instant::now()).is_none());
    }
}
