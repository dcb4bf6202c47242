//! Decodes a stream in a thread of its own, ahead of what is read.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// The bytes that are decoded at a time.
const BLOCK: usize = 1 << 20;

/// How many blocks may wait.
const WAITING: usize = 32;

/// A stream that another thread decodes. The thread ends with the stream, or after this is dropped.
#[derive(Debug)]
pub(super) struct Ahead {
    blocks: Receiver<io::Result<Vec<u8>>>,
    block: Vec<u8>,
    /// How many bytes of the block have been read.
    read: usize,
}

impl Ahead {
    /// Starts to decode.
    ///
    /// # Errors
    /// Returns the error of the system if it refuses the thread.
    pub fn new(mut decoder: impl Read + Send + 'static) -> io::Result<Ahead> {
        let (sender, blocks) = sync_channel(WAITING);
        let decode = move || {
            loop {
                let mut block = Vec::with_capacity(BLOCK);
                let read = decoder.by_ref().take(BLOCK as u64).read_to_end(&mut block);
                let is_last = !matches!(read, Ok(BLOCK));
                // What was decoded before the damage comes first.
                let sent = block.is_empty() || sender.send(Ok(block)).is_ok();
                let failed = read.is_err_and(|error| sender.send(Err(error)).is_ok());
                if !sent || failed || is_last {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("decode".to_owned())
            .spawn(decode)?;
        Ok(Ahead {
            blocks,
            block: Vec::new(),
            read: 0,
        })
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.block.len() {
            // Without a sender, the stream is over.
            let Ok(block) = self.blocks.recv() else {
                return Ok(0);
            };
            (self.block, self.read) = (block?, 0);
        }
        let length = buffer.len().min(self.block.len() - self.read);
        buffer[..length].copy_from_slice(&self.block[self.read..][..length]);
        self.read += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zeros, after which an error comes.
    struct Damaged(usize);

    impl Read for Damaged {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("damage"));
            }
            let length = buffer.len().min(self.0);
            buffer[..length].fill(0);
            self.0 -= length;
            Ok(length)
        }
    }

    #[test]
    fn a_stream_is_read_as_it_is() {
        for length in [0, 1, BLOCK, 3 * BLOCK + 5] {
            let text: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut found = Vec::new();
            let mut ahead = Ahead::new(io::Cursor::new(text.clone())).expect("a thread");
            ahead.read_to_end(&mut found).expect("no damage");
            assert!(found == text, "{length}");
        }
    }

    #[test]
    fn what_comes_before_damage_is_read_first() {
        let mut found = Vec::new();
        let mut ahead = Ahead::new(Damaged(BLOCK + 7)).expect("a thread");
        assert!(ahead.read_to_end(&mut found).is_err());
        assert_eq!(found.len(), BLOCK + 7);
    }

    #[test]
    fn a_stream_that_is_not_read_to_its_end_ends_its_thread() {
        let mut ahead = Ahead::new(io::repeat(1)).expect("a thread");
        let mut start = [0; 3];
        ahead.read_exact(&mut start).expect("an endless stream");
        assert_eq!(start, [1; 3]);
    }
}
