//! Not landed yet.
/// side
pub const SIDE: usize = 28;
/// draws
pub fn draw(digit: u8, _rng: &mut impl rand::Rng) -> [u8; SIDE * SIDE] {
    let mut a = [0; SIDE * SIDE];
    a[usize::from(digit) * 40] = 255;
    a
}
