//! FUSE's wire format (`linux/fuse.h`, version 7.31): what of it this file system needs. Little endian.
//!
//! | request | bytes |
//! |---|---|
//! | length, operation | 4, 4 |
//! | number of the request, id of the node | 8, 8 |
//! | user, group, process, rest | 4, 4, 4, 4 |
//! | what belongs to the operation | |
//!
//! An answer is length (4), negative error (4), number of the request (8), and what belongs to the operation.

/// A request as it came, read from front to back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) operation: u32,
    pub(super) number: u64,
    pub(super) node: u64,
    rest: &'a [u8],
}

impl<'a> Request<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut request = Self { operation: 0, number: 0, node: 0, rest: bytes };
        request.u32()?;
        request.operation = request.u32()?;
        request.number = request.u64()?;
        request.node = request.u64()?;
        request.bytes(16)?;
        Some(request)
    }

    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.bytes(8)?.try_into().ok()?))
    }

    pub(super) fn usize(&mut self) -> Option<usize> {
        usize::try_from(self.u64()?).ok()
    }

    /// A name up to its NUL.
    pub(super) fn name(&mut self) -> Option<&'a str> {
        let end = self.rest.iter().position(|byte| *byte == 0)?;
        let name = self.bytes(end)?;
        self.bytes(1)?;
        std::str::from_utf8(name).ok()
    }
}

/// An answer that grows.
#[derive(Debug, Default)]
pub(super) struct Answer(Vec<u8>);

impl Answer {
    pub(super) fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn size(self, value: usize) -> Self {
        self.u64(u64::try_from(value).unwrap_or(u64::MAX))
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub(super) fn zeros(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The whole answer to request `number`, with the error that it is, or 0.
    pub(super) fn framed(&self, number: u64, error: i32) -> Vec<u8> {
        let body = if error == 0 { self.0.as_slice() } else { &[] };
        let length = u32::try_from(16 + body.len()).unwrap_or(u32::MAX);
        let mut frame = Vec::with_capacity(16 + body.len());
        frame.extend(length.to_le_bytes());
        frame.extend((-error).to_le_bytes());
        frame.extend(number.to_le_bytes());
        frame.extend(body);
        frame
    }
}
