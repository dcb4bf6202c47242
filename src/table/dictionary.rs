//! The different words of a column, numbered in the order of their first occurrence.

use xxhash_rust::xxh3::xxh3_64;

/// An empty slot of the hash table.
const EMPTY: u32 = u32::MAX;

/// Different words with numbers from 0.
#[derive(Debug, Default, Clone)]
pub(crate) struct Dictionary {
    /// All words, one after another.
    text: Vec<u8>,
    /// Where each word ends.
    ends: Vec<usize>,
    /// The number of the word of each slot, at its hash or behind it. The length is a power of two, or zero.
    slots: Vec<u32>,
}

impl Dictionary {
    /// Returns the number of words.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns the word of this number.
    ///
    /// # Panics
    /// Panics if there is none.
    pub fn word(&self, code: u32) -> &[u8] {
        let at = code as usize;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start..self.ends[at]]
    }

    /// Returns all words in their order.
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len() as u32).map(|code| self.word(code))
    }

    /// Returns the number of a word, if it is there.
    pub fn find(&self, word: &[u8]) -> Option<u32> {
        match self.slots.is_empty() {
            true => None,
            false => Some(self.slots[self.slot(word)]).filter(|&code| code != EMPTY),
        }
    }

    /// Returns the number of a word, which is added if it is new.
    #[inline]
    pub fn code(&mut self, word: &[u8]) -> u32 {
        if 2 * self.len() >= self.slots.len() {
            self.grow();
        }
        let slot = self.slot(word);
        if self.slots[slot] == EMPTY {
            self.slots[slot] = self.len() as u32;
            self.text.extend_from_slice(word);
            self.ends.push(self.text.len());
        }
        self.slots[slot]
    }

    /// Returns the slot of a word, or the one where it would be.
    #[inline]
    fn slot(&self, word: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = xxh3_64(word) as usize & mask;
        while self.slots[slot] != EMPTY && self.word(self.slots[slot]) != word {
            slot = (slot + 1) & mask;
        }
        slot
    }

    #[cold]
    fn grow(&mut self) {
        self.slots = vec![EMPTY; (2 * self.slots.len()).max(16)];
        for code in 0..self.len() as u32 {
            let slot = self.slot(self.word(code));
            self.slots[slot] = code;
        }
    }
}
