//! A connection to one broker: requests out, answers in, in the same order.
//!
//! | bytes  | field of a request                | field of an answer |
//! |--------|-----------------------------------|--------------------|
//! | 4      | length of what follows            | the same           |
//! | 2, 2   | number and version of the API     | –                  |
//! | 4      | correlation id                    | the same           |
//! | string | client id                         | –                  |
//!
//! Source: Kafka protocol guide, "Requests and responses"; headers 1 and 0.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::batch::Batch;
use super::codec::push_string;
use super::error::Error;
use super::messages::{self, Api, Versions};
use super::options::Context;
use super::produce::{Envelope, Terms};
use super::socket::Socket;

/// Largest answer, bytes.
const ANSWER_MAX: usize = 100 << 20;

/// By how much room for an answer grows while it comes in, bytes.
const GROWTH: usize = 64 << 10;

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Socket,
    address: String,
    client_id: String,
    versions: Versions,
    correlation: i32,
    on_the_way: VecDeque<Request>,
    request_timeout: Duration,
}

/// A produce request that has not been answered.
#[derive(Debug)]
pub(super) struct Request {
    /// Its batches, by the numbers that their owner gave.
    pub(super) batches: Vec<usize>,
    pub(super) version: i16,
    pub(super) sent: Instant,
    correlation: i32,
}

impl Connection {
    /// Connects, and asks for versions; the rest of the way in is as long as connecting may take.
    pub(super) fn open(context: &Context, address: &str) -> Result<Self, Error> {
        let until = Instant::now() + context.options.connect_timeout;
        let mut connection = Self {
            socket: Socket::connect(context, address, until)?,
            address: address.to_owned(),
            client_id: context.options.client_id.clone(),
            versions: Versions::new(),
            correlation: 0,
            on_the_way: VecDeque::new(),
            request_timeout: context.options.connect_timeout,
        };
        connection.versions.insert(Api::Versions.key(), (0, 0));
        let (_, answer) = connection.call(Api::Versions, |_, _| {})?;
        let (code, versions) =
            messages::read_versions(&answer).ok_or_else(|| connection.unreadable())?;
        if code.0 != 0 {
            return Err(Error::broken(address, &format!("does not tell its versions: {code}")));
        }
        connection.versions = versions;
        Ok(connection)
    }

    /// From now on answers may take so long.
    pub(super) const fn is_let_in(&mut self, request_timeout: Duration) {
        self.request_timeout = request_timeout;
    }

    /// Waits no longer than this for answers.
    pub(super) fn hurry(&mut self, longest: Duration) {
        self.request_timeout = self.request_timeout.min(longest);
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The highest version of `api` that both ends know.
    fn version(&self, api: Api) -> Result<i16, Error> {
        let (low, high) = api.versions();
        let both =
            self.versions.get(&api.key()).map(|theirs| (low.max(theirs.0), high.min(theirs.1)));
        match both {
            Some((low, high)) if low <= high => Ok(high),
            _ => Err(Error::broken(
                &self.address,
                &format!(
                    "knows no version of {api:?} that is written here; Kafka must be 1.0 or later"
                ),
            )),
        }
    }

    /// Asks and waits for the answer; nothing may be on its way. Gives the version that was used, and the answer.
    pub(super) fn call(
        &mut self,
        api: Api,
        body: impl FnOnce(i16, &mut Vec<u8>),
    ) -> Result<(i16, Vec<u8>), Error> {
        let version = self.version(api)?;
        let mut request = self.head(api, version);
        body(version, &mut request);
        let length = request.len() - 4;
        set_length(&mut request, length);
        let until = Instant::now() + self.request_timeout;
        self.socket.write(&[&request], until)?;
        let (correlation, answer) = self.read(until)?;
        self.expect(correlation, self.correlation)?;
        Ok((version, answer))
    }

    /// Sends a produce request; `numbers` are what its batches are known by when the answer comes.
    pub(super) fn produce(
        &mut self,
        terms: &Terms,
        batches: &[&Batch],
        numbers: Vec<usize>,
    ) -> Result<(), Error> {
        let version = self.version(Api::Produce)?;
        let head = self.head(Api::Produce, version);
        let mut envelope = Envelope::new(head, terms, batches);
        let payload: usize = batches.iter().map(|batch| batch.bytes.len()).sum();
        let length = envelope.bytes.len() - 4 + payload;
        set_length(&mut envelope.bytes, length);
        let sent = Instant::now();
        self.socket.write(&envelope.pieces(batches), sent + self.request_timeout)?;
        // Without acks there is no answer.
        if terms.acks != 0 {
            let correlation = self.correlation;
            self.on_the_way.push_back(Request { batches: numbers, version, sent, correlation });
        }
        Ok(())
    }

    /// The answer to the oldest produce request, and that request; `None` when nothing is on its way.
    pub(super) fn answer(&mut self) -> Result<Option<(Request, Vec<u8>)>, Error> {
        let Some(oldest) = self.on_the_way.front() else { return Ok(None) };
        let (expected, until) = (oldest.correlation, oldest.sent + self.request_timeout);
        let (correlation, answer) = self.read(until)?;
        self.expect(correlation, expected)?;
        Ok(self.on_the_way.pop_front().map(|request| (request, answer)))
    }

    /// Produce requests that have not been answered, the oldest first.
    pub(super) fn on_the_way(&self) -> &VecDeque<Request> {
        &self.on_the_way
    }

    fn head(&mut self, api: Api, version: i16) -> Vec<u8> {
        self.correlation = self.correlation.wrapping_add(1);
        let mut head = vec![0; 4];
        head.extend_from_slice(&api.key().to_be_bytes());
        head.extend_from_slice(&version.to_be_bytes());
        head.extend_from_slice(&self.correlation.to_be_bytes());
        push_string(&self.client_id, &mut head);
        head
    }

    fn read(&mut self, until: Instant) -> Result<(i32, Vec<u8>), Error> {
        let (mut length, mut correlation) = ([0; 4], [0; 4]);
        self.socket.read(&mut length, until)?;
        let length = usize::try_from(i32::from_be_bytes(length)).ok();
        let length = length.filter(|length| (4..=ANSWER_MAX).contains(length));
        let left = length.ok_or_else(|| self.unreadable())? - 4;
        self.socket.read(&mut correlation, until)?;
        let mut answer = Vec::new();
        while answer.len() < left {
            let from = answer.len();
            answer.resize(left.min(from + GROWTH.max(from)), 0);
            self.socket.read(answer.get_mut(from..).unwrap_or_default(), until)?;
        }
        Ok((i32::from_be_bytes(correlation), answer))
    }

    fn expect(&self, correlation: i32, expected: i32) -> Result<(), Error> {
        if correlation == expected { Ok(()) } else { Err(self.unreadable()) }
    }

    pub(super) fn unreadable(&self) -> Error {
        Error::broken(
            &self.address,
            &"its answer cannot be read; is this the port of a Kafka broker?",
        )
    }
}

fn set_length(request: &mut [u8], length: usize) {
    let length = i32::try_from(length).unwrap_or(i32::MAX);
    if let Some(place) = request.first_chunk_mut() {
        *place = length.to_be_bytes();
    }
}
