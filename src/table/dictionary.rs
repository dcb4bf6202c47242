//! The different words of a column, numbered in the order of their first occurrence.

use xxhash_rust::xxh3::xxh3_64;

/// Different words with numbers from 0.
#[derive(Debug, Default, Clone)]
pub(crate) struct Dictionary {
    /// All words, one after another.
    text: Vec<u8>,
    /// Where each word ends.
    ends: Vec<usize>,
    /// Each word at its hash or behind it. The length is a power of two, or zero.
    slots: Vec<Slot>,
    /// How many slots have a word.
    filled: usize,
}

/// A word in the hash table. Words of up to eight bytes are compared without a look at the text.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The first eight bytes, behind which zeros follow.
    head: u64,
    length: u32,
    code: u32,
}

/// The number of a word that is left out.
pub(crate) const LEFT_OUT: u32 = u32::MAX;

/// The number in an empty slot.
const EMPTY: u32 = u32::MAX - 1;

/// The length of a head, in bytes.
const HEAD: usize = 8;

impl Slot {
    const EMPTY: Slot = Slot {
        head: 0,
        length: 0,
        code: EMPTY,
    };
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
        if self.slots.is_empty() {
            return None;
        }
        let slot = self.slot(head(word), word);
        Some(self.slots[slot].code).filter(|&code| code < EMPTY)
    }

    /// Returns the number of a word, which is added if it is new.
    pub fn code(&mut self, word: &[u8]) -> u32 {
        self.code_unless(word, |_| false)
    }

    /// Returns the number of a word, which is added if it is new; [`LEFT_OUT`] if `is_left_out` says so. It is asked once
    /// for a short word.
    #[inline]
    pub fn code_unless(&mut self, word: &[u8], is_left_out: impl Fn(&[u8]) -> bool) -> u32 {
        if 2 * self.filled >= self.slots.len() {
            self.grow();
        }
        let head = head(word);
        let slot = self.slot(head, word);
        match self.slots[slot].code {
            EMPTY => self.insert(slot, head, word, is_left_out(word)),
            code => code,
        }
    }

    fn insert(&mut self, slot: usize, head: u64, word: &[u8], is_left_out: bool) -> u32 {
        // Only short words are found without their text.
        if is_left_out && word.len() > HEAD {
            return LEFT_OUT;
        }
        let code = match is_left_out {
            true => LEFT_OUT,
            false => self.len() as u32,
        };
        self.slots[slot] = Slot {
            head,
            length: word.len() as u32,
            code,
        };
        self.filled += 1;
        if !is_left_out {
            self.text.extend_from_slice(word);
            self.ends.push(self.text.len());
        }
        code
    }

    /// Gives back what only finding words needs, until the next word is added.
    pub fn shrink(&mut self) {
        (self.slots, self.filled) = (Vec::new(), 0);
    }

    /// Returns the slot of a word, or the one where it would be.
    #[inline]
    fn slot(&self, head: u64, word: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash(head, word) as usize & mask;
        loop {
            let slot = &self.slots[at];
            let is_same = slot.head == head && slot.length == word.len() as u32;
            if slot.code == EMPTY || is_same && (word.len() <= HEAD || self.word(slot.code) == word)
            {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let length = (4 * self.slots.len())
            .max(4 * self.len().next_power_of_two())
            .max(16);
        let old = std::mem::replace(&mut self.slots, vec![Slot::EMPTY; length]);
        for code in 0..self.len() as u32 {
            let word = self.word(code);
            let head = head(word);
            let at = self.slot(head, word);
            self.slots[at] = Slot {
                head,
                length: word.len() as u32,
                code,
            };
        }
        let left_out = old.iter().filter(|slot| slot.code == LEFT_OUT);
        for slot in left_out.clone() {
            let at = self.slot(slot.head, &slot.head.to_le_bytes()[..slot.length as usize]);
            self.slots[at] = *slot;
        }
        self.filled = self.len() + left_out.count();
    }
}

/// Returns the first bytes of a word, behind which zeros follow.
#[inline]
fn head(word: &[u8]) -> u64 {
    let four = |at: usize| {
        u64::from(u32::from_le_bytes([
            word[at],
            word[at + 1],
            word[at + 2],
            word[at + 3],
        ]))
    };
    match word {
        [a, b, c, d, e, f, g, h, ..] => u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
        [_, _, _, _, ..] => four(0) | four(word.len() - 4) << (8 * (word.len() - 4)),
        [] => 0,
        [first, .., last] => {
            let middle = word.len() / 2;
            u64::from(*first)
                | u64::from(word[middle]) << (8 * middle)
                | u64::from(*last) << (8 * (word.len() - 1))
        }
        [only] => u64::from(*only),
    }
}

/// Returns the hash of a word with this head.
#[inline]
fn hash(head: u64, word: &[u8]) -> u64 {
    if word.len() > HEAD {
        return xxh3_64(word);
    }
    let product = u128::from(head ^ 0x9e37_79b9_7f4a_7c15)
        * u128::from(0xd6e8_feb8_6659_fd93 ^ word.len() as u64);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Words keep the numbers of their first occurrence, and those that are left out have none.
        #[test]
        fn words_are_numbered_in_their_order(words in proptest::collection::vec("[ab\\x00]{0,12}", 0..300)) {
            let is_left_out = |word: &[u8]| word.first() == Some(&b'b');
            let mut dictionary = Dictionary::default();
            let mut known: Vec<&[u8]> = Vec::new();
            for word in words.iter().map(String::as_bytes) {
                let expected = match known.iter().position(|other| *other == word) {
                    _ if is_left_out(word) => LEFT_OUT,
                    Some(at) => at as u32,
                    None => {
                        known.push(word);
                        known.len() as u32 - 1
                    }
                };
                prop_assert_eq!(dictionary.code_unless(word, is_left_out), expected);
                if word.len() % 5 == 4 {
                    dictionary.shrink();
                    dictionary.code_unless(word, is_left_out);
                }
                prop_assert_eq!(dictionary.find(word), Some(expected).filter(|&code| code != LEFT_OUT));
            }
            prop_assert_eq!(dictionary.find(b"absent"), None);
            prop_assert_eq!(dictionary.words().collect::<Vec<_>>(), known);
        }
    }
}
