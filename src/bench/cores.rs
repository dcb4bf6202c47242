//! What it costs when cache lines travel between two cores: a second thread pays for each of them in every step.
//!
//! Two workers play at a time. They send a flag to and fro, and each reads the lines that the other has written, writes
//! its own lines after the other has read them, and writes these again while nobody else has them. The costs depend on
//! which cores the workers run on, and on shared machines they change within minutes, so that every figure of two
//! threads is worth more together with them.

use std::hint::{black_box, spin_loop};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::statistics::median;
use crate::compute::parallel::{Member, Workers};

/// Lines that two workers share, a half for each: 128 kB, which fit the second-level cache of a core.
const LINES: usize = 2048;
/// Round trips of the flag in a round. Rounds are short, so that most are not interrupted on a busy machine.
const TRIPS: usize = 100;
/// The most rounds of a pair; the first is not counted.
const MOST_ROUNDS: usize = 2000;
/// The fewest rounds, however long they take.
const LEAST_ROUNDS: usize = 4;
/// The most pairs of workers.
const MOST_PAIRS: usize = 8;
/// The round trip above which the workers did not have a core each, in nanoseconds.
const DISTURBED_NS: f64 = 2000.0;
/// Looks at a flag until the thread offers its core to others.
const PATIENCE: usize = 1 << 14;

/// What travelling lines cost between two workers, in nanoseconds: medians of the rounds, means of both workers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The two workers, counted from 0.
    pub workers: [usize; 2],
    /// The rounds in which both workers had a core; all rounds if there are none.
    pub rounds: usize,
    /// A flag to the other worker and back.
    pub round_trip_ns: f64,
    /// Reading a line that the other worker has written.
    pub read_ns: f64,
    /// Writing a line that the other worker has read since.
    pub write_after_read_ns: f64,
    /// Writing a line that only this worker has.
    pub write_own_ns: f64,
}

impl Pair {
    /// Whether the answers took so long that the two workers cannot have had a core each: even different sockets
    /// answer sooner.
    pub fn is_disturbed(&self) -> bool {
        self.round_trip_ns > DISTURBED_NS
    }
}

/// The pairs of `threads` workers that are measured: the first worker with each other one, or with some of them evenly
/// spread.
pub fn pairs(threads: usize) -> Vec<[usize; 2]> {
    let others = threads.saturating_sub(1);
    let count = others.min(MOST_PAIRS);
    let other = |at: usize| 1 + at * others / count;
    (0..count).map(|at| [0, other(at)]).collect()
}

/// Measures the pairs of `workers` one after another, for about `seconds` in all, and calls `on_pair` after each.
pub fn measure(workers: &Workers, seconds: f64, on_pair: &mut dyn FnMut()) -> Vec<Pair> {
    let pairs = pairs(workers.threads());
    let limit = Duration::from_secs_f64(seconds / pairs.len().max(1) as f64);
    let measured = pairs.into_iter().map(|players| {
        let (table, sides) = (Table::new(limit), Mutex::new(Vec::new()));
        workers.team(|member: Member| {
            let side = players.iter().position(|&worker| worker == member.index());
            if let Some(side) = side {
                let costs = table.play(side);
                let mut sides = sides.lock().unwrap_or_else(PoisonError::into_inner);
                sides.push(costs);
            }
        });
        let sides = sides.into_inner().unwrap_or_else(PoisonError::into_inner);
        on_pair();
        pair(players, &sides)
    });
    measured.collect()
}

/// The costs that both sides measured, in the rounds in which both had a core, or in all rounds if there are none.
fn pair(workers: [usize; 2], sides: &[Vec<Costs>]) -> Pair {
    let all = sides.iter().map(Vec::len).min().unwrap_or(0);
    let is_disturbed = |costs: &Costs| 1e9 * costs.round_trip > DISTURBED_NS;
    let mut rounds: Vec<usize> = (0..all)
        .filter(|&round| !sides.iter().any(|side| is_disturbed(&side[round])))
        .collect();
    if rounds.is_empty() {
        rounds = (0..all).collect();
    }
    let cost = |of: fn(&Costs) -> f64| {
        let medians = sides.iter().map(|side| {
            let costs: Vec<f64> = rounds.iter().map(|&round| of(&side[round])).collect();
            1e9 * median(&costs)
        });
        medians.sum::<f64>() / sides.len() as f64
    };
    Pair {
        workers,
        rounds: rounds.len(),
        round_trip_ns: cost(|costs| costs.round_trip),
        read_ns: cost(|costs| costs.read),
        write_after_read_ns: cost(|costs| costs.write_after_read),
        write_own_ns: cost(|costs| costs.write_own),
    }
}

/// What one worker measured in one round, in seconds for each trip or line.
struct Costs {
    round_trip: f64,
    read: f64,
    write_after_read: f64,
    write_own: f64,
}

/// A value in cache lines of its own.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Alone<T>(T);

/// What two workers share.
struct Table {
    lines: Lines,
    /// Whose turn it is to send the flag back: 0 or 1.
    flag: Alone<AtomicUsize>,
    /// How often a worker has come to a meeting.
    arrivals: Alone<AtomicUsize>,
    /// Whether another round follows; the first side decides.
    continues: Alone<AtomicBool>,
    limit: Duration,
}

impl Table {
    fn new(limit: Duration) -> Table {
        Table {
            lines: Lines::new(LINES),
            flag: Alone::default(),
            arrivals: Alone::default(),
            continues: Alone(AtomicBool::new(true)),
            limit,
        }
    }

    /// Plays all rounds of `side`, 0 or 1. Returns the costs of all rounds except the first.
    fn play(&self, side: usize) -> Vec<Costs> {
        let (half, mut meetings) = (self.lines.len() / 2, 0);
        let part = |side: usize| side * half..(side + 1) * half;
        let mut rounds = Vec::with_capacity(MOST_ROUNDS);
        let began = Instant::now();
        let mut timed = |count: usize, work: &dyn Fn()| {
            meetings += 1;
            self.meet(meetings);
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() / count as f64
        };
        for round in 0..MOST_ROUNDS {
            let costs = Costs {
                round_trip: timed(TRIPS, &|| self.send_flag(side)),
                read: timed(half, &|| {
                    black_box(self.lines.read(part(1 - side)));
                }),
                write_after_read: timed(half, &|| self.lines.write(part(side))),
                write_own: timed(half, &|| self.lines.write(part(side))),
            };
            if round > 0 {
                rounds.push(costs);
            }
            if side == 0 {
                let continues = round + 1 < LEAST_ROUNDS || began.elapsed() < self.limit;
                self.continues.0.store(continues, Ordering::Relaxed);
            }
            timed(1, &|| {});
            if !self.continues.0.load(Ordering::Relaxed) {
                break;
            }
        }
        rounds
    }

    /// Takes the flag from the other side and sends it back, again and again.
    fn send_flag(&self, side: usize) {
        for _ in 0..TRIPS {
            wait_until(|| self.flag.0.load(Ordering::Acquire) == side);
            self.flag.0.store(1 - side, Ordering::Release);
        }
    }

    /// Waits until both have come to the meeting `number`, counted from 1.
    fn meet(&self, number: usize) {
        self.arrivals.0.fetch_add(1, Ordering::AcqRel);
        wait_until(|| self.arrivals.0.load(Ordering::Acquire) >= 2 * number);
    }
}

/// Waits busily, as long as that is likely to be short.
fn wait_until(is_done: impl Fn() -> bool) {
    // Without a pause, which takes longer than the answer on some processors.
    for _ in 0..PATIENCE {
        if is_done() {
            return;
        }
    }
    while !is_done() {
        spin_loop();
        thread::yield_now();
    }
}

/// Cache lines that threads write and read.
#[derive(Debug)]
pub(super) struct Lines(Vec<Line>);

/// A number in a cache line of its own.
#[repr(align(64))]
#[derive(Debug, Default)]
struct Line(AtomicU32);

impl Lines {
    pub(super) fn new(count: usize) -> Lines {
        Lines(std::iter::repeat_with(Line::default).take(count).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds 1 to the lines in `range`, which no other thread writes meanwhile.
    pub(super) fn write(&self, range: Range<usize>) {
        for Line(number) in &self.0[range] {
            number.store(
                number.load(Ordering::Relaxed).wrapping_add(1),
                Ordering::Relaxed,
            );
        }
    }

    /// The sum of the lines in `range`.
    pub(super) fn read(&self, range: Range<usize>) -> u64 {
        let numbers = self.0[range].iter();
        numbers
            .map(|Line(number)| u64::from(number.load(Ordering::Relaxed)))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    #[test]
    fn the_first_worker_plays_with_each_other_one_or_with_eight_of_them() {
        assert!(pairs(1).is_empty());
        assert_eq!(pairs(2), [[0, 1]]);
        assert_eq!(pairs(4), [[0, 1], [0, 2], [0, 3]]);
        let many = pairs(65);
        assert_eq!((many.len(), many[0], many[7]), (8, [0, 1], [0, 57]));
    }

    #[test]
    fn every_pair_has_its_rounds_and_every_cost_is_above_zero() {
        let workers = Workers::new(NonZeroUsize::new(3).expect("not zero")).expect("workers");
        let mut done = 0;
        let found = measure(&workers, 1e-6, &mut || done += 1);
        assert_eq!((found.len(), done), (2, 2));
        for pair in found {
            assert!((1..LEAST_ROUNDS).contains(&pair.rounds), "{pair:?}");
            let costs = [
                pair.round_trip_ns,
                pair.read_ns,
                pair.write_after_read_ns,
                pair.write_own_ns,
            ];
            assert!(costs.iter().all(|&cost| cost > 0.0), "{pair:?}");
        }
    }

    #[test]
    fn rounds_in_which_the_workers_shared_a_core_do_not_count() {
        let round = |trip: f64, write: f64| Costs {
            round_trip: 1e-9 * trip,
            read: 1e-9,
            write_after_read: 1e-9 * write,
            write_own: 1e-9,
        };
        // The second and third round took too long, for one side each.
        let side = |second, third| {
            let (second, third) = (round(second, 0.5), round(third, 0.5));
            vec![round(100.0, 10.0), second, third, round(200.0, 20.0)]
        };
        let found = pair([0, 1], &[side(9000.0, 150.0), side(150.0, 9000.0)]);
        assert_eq!(found.rounds, 2);
        assert!((found.round_trip_ns - 150.0).abs() < 1e-6 && !found.is_disturbed());
        assert!((found.write_after_read_ns - 15.0).abs() < 1e-6);
        let shared = || vec![round(9000.0, 0.5), round(8000.0, 0.5)];
        let found = pair([0, 1], &[shared(), shared()]);
        assert!(found.rounds == 2 && found.is_disturbed(), "{found:?}");
    }

    #[test]
    fn a_line_is_a_cache_line() {
        assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
    }
}
