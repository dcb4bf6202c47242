//! Checks the barrier of a team, and the pieces it deals out, with loom.
//!
//! The source file is the one that training runs. Loom's types take the place of the standard library's, and loom runs
//! each test under every interleaving of its threads, up to a bound on preemptions, and under every outcome of relaxed
//! memory accesses. It fails when a write is not ordered before a read, when a member sleeps forever, and when an
//! assertion fails.
#![cfg(test)]

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::Arc;
use loom::thread;

use barrier::{Barrier, OwnedPieces, Pieces};

#[path = "../src/compute/barrier.rs"]
mod barrier;

/// What `src/compute/sync.rs` is in training.
mod sync {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    pub(super) use loom::sync::{Condvar, Mutex};
    pub(super) use std::sync::PoisonError;

    /// Looks once, so that the sleep that follows is part of the model.
    pub(super) fn wait_awake(is_over: impl Fn() -> bool) -> bool {
        is_over()
    }
}

/// A team with one number for each piece of work.
struct Team {
    barrier: Barrier,
    pieces: Pieces,
    owned: OwnedPieces,
    numbers: Vec<UnsafeCell<usize>>,
}

impl Team {
    fn new(members: usize, numbers: usize) -> Arc<Team> {
        Arc::new(Team {
            barrier: Barrier::new(members),
            pieces: Pieces::default(),
            owned: OwnedPieces::new(members),
            numbers: (0..numbers).map(|_| UnsafeCell::new(0)).collect(),
        })
    }

    fn write(&self, index: usize, value: usize) {
        // SAFETY: loom itself checks that no other access is concurrent; that is what the tests are for.
        self.numbers[index].with_mut(|number| unsafe { *number = value });
    }

    fn read(&self, index: usize) -> usize {
        // SAFETY: loom itself checks that no write is concurrent; that is what the tests are for.
        self.numbers[index].with(|number| unsafe { *number })
    }

    fn wait(&self) {
        self.barrier.wait().expect("a whole team");
    }
}

/// Runs `body` in each member of a team under every interleaving with at most `preemptions` preemptions.
fn check(
    (members, numbers): (usize, usize),
    preemptions: usize,
    body: impl Fn(&Team, usize) + Send + Sync + Copy + 'static,
) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        let team = Team::new(members, numbers);
        let others: Vec<_> = (1..members)
            .map(|member| {
                let team = team.clone();
                thread::spawn(move || body(&team, member))
            })
            .collect();
        body(&team, 0);
        others
            .into_iter()
            .for_each(|other| other.join().expect("a member that ends"));
    });
}

#[test]
fn two_members_see_what_each_wrote_before_the_barrier() {
    check((2, 2), 4, |team, member| {
        for round in 1..=2 {
            team.write(member, round);
            team.wait();
            assert_eq!([team.read(0), team.read(1)], [round; 2]);
            team.wait();
        }
    });
}

#[test]
fn three_members_see_what_each_wrote_before_the_barrier() {
    check((3, 3), 2, |team, member| {
        team.write(member, 1);
        team.wait();
        assert!((0..3).all(|other| team.read(other) == 1));
    });
}

#[test]
fn each_piece_is_taken_once_in_each_round() {
    check((2, 3), 3, |team, member| {
        for round in 1..=2 {
            team.pieces.for_each(3, |piece| {
                assert_eq!(team.read(piece), round - 1);
                team.write(piece, round);
            });
            team.wait();
            assert!((0..3).all(|piece| team.read(piece) == round));
            if member == 0 {
                team.pieces.reset();
            }
            team.wait();
        }
    });
}

#[test]
fn each_piece_of_a_member_is_taken_once_in_each_round_by_it_or_another() {
    check((2, 4), 3, |team, member| {
        for round in 1..=2 {
            // All pieces belong to the first member.
            let pieces_of = |member: usize| 0..if member == 0 { 4 } else { 0 };
            team.owned.for_each(member, pieces_of, |piece| {
                assert_eq!(team.read(piece), round - 1);
                team.write(piece, round);
            });
            team.wait();
            assert!((0..4).all(|piece| team.read(piece) == round));
            if member == 0 {
                team.owned.reset();
            }
            team.wait();
        }
    });
}

#[test]
fn a_waiting_member_learns_that_the_barrier_is_broken() {
    check((2, 0), 4, |team, member| match member {
        0 => team.barrier.break_up(),
        _ => assert!(team.barrier.wait().is_err()),
    });
}
