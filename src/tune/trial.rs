//! Training of one trial up to the end of a rung, from its last state if there is one. The result has the same bits as an
//! uninterrupted run of its settings after as many epochs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::folder::TuneFolder;
use super::halving::Rung;
use super::journal::Subject;
use crate::compute::parallel::Workers;
use crate::config::CheckedConfig;
use crate::data::Splits;
use crate::durable::remove_leftovers;
use crate::error::{Error, Refusal, Result};
use crate::run::{Checkpoint, Checkpoints, Identity};
use crate::scores::{EpochMetrics, Score};
use crate::train::prepare::spec_for;
use crate::train::{Ending, Event, Next, Position, State, Supervisor, Training};

/// What a trial needs to be trained.
#[derive(Clone, Copy)]
pub(super) struct Trial<'a> {
    /// The number of the trial.
    pub number: usize,
    pub config: &'a CheckedConfig,
    pub data: &'a Splits,
    pub folder: &'a TuneFolder,
    pub subject: &'a Subject,
    /// Stops the trial after the current step when any becomes true.
    pub stop: [&'a AtomicBool; 2],
    /// When the time of the search is up.
    pub deadline: Option<Instant>,
}

/// How far a trial was trained.
pub(super) enum Reached {
    /// The end of the rung, with the seconds of training in total.
    End(Score, f64),
    /// A loss that is not finite, in this epoch.
    Diverged(usize),
    /// A state within the rung, which is saved.
    Stopped,
}

impl Trial<'_> {
    /// Trains up to the end of `rung` with `workers`, and calls `on_epoch` after each epoch.
    pub(super) fn train_to(
        self,
        rung: Rung,
        workers: &Workers,
        on_epoch: &mut (dyn FnMut() + Send),
    ) -> Result<Reached> {
        let states = self.folder.state_of(self.number);
        let from = self.newest(&states)?;
        let done = from.as_ref().map_or(0, |state| state.epochs.len());
        if let (Some(state), true) = (&from, done >= rung.epochs) {
            return Ok(Reached::of(&state.epochs[..rung.epochs]));
        }
        let mut supervisor = RungSupervisor {
            rung,
            trial: self,
            state: None,
        };
        let training = Training {
            config: self.config,
            data: self.data,
            schema: None,
            workers,
            profiled: false,
            from,
        };
        let ending = training.run(&mut supervisor, &mut |event| {
            if let Event::Epoch(_) = event {
                on_epoch();
            }
        });
        match ending {
            Ok(Ending::Finished(outcome)) => Ok(Reached::of(&outcome.epochs)),
            Ok(Ending::Stopped(place)) => {
                let state = supervisor.state.expect("a stopped run saves its state");
                let reached = match place {
                    Position { epochs, steps: 0 } if epochs >= rung.epochs => {
                        Reached::of(&state.epochs)
                    }
                    _ => Reached::Stopped,
                };
                self.save(&states, state)?;
                Ok(reached)
            }
            Err(Error::Diverged { epoch, .. }) => Ok(Reached::Diverged(epoch)),
            Err(error) => Err(error),
        }
    }

    /// Returns the state from which the trial continues. A damaged one is ignored: training again computes the same bits.
    fn newest(&self, states: &Checkpoints) -> Result<Option<State>> {
        if !states.path().exists() {
            return Ok(None);
        }
        remove_leftovers(states.path(), &["epoch-"])?;
        let Some((path, checkpoint)) = states.newest()?.valid else {
            return Ok(None);
        };
        if checkpoint.identity.config != **self.config {
            return Err(Error::Run(Refusal::new(
                path.display(),
                "the state of a trial with other settings",
                "those that the search draws",
            )));
        }
        Ok(Some(checkpoint.state))
    }

    fn save(&self, states: &Checkpoints, state: State) -> Result<()> {
        crate::durable::create_folder(states.path())?;
        let place = state.position();
        let subject = self.subject.clone();
        states.save(&Checkpoint {
            spec: spec_for(self.config, self.data)?,
            identity: Identity {
                version: subject.version,
                revision: subject.revision,
                config: self.config.clone().into_inner(),
                engine: subject.engine,
                data: subject.data,
                schema: None,
            },
            state,
        })?;
        states.remove_old(place, 1)
    }
}

impl Reached {
    /// The end of the last of the `epochs` that were trained.
    fn of(epochs: &[EpochMetrics]) -> Reached {
        let last = &epochs[epochs.len() - 1];
        let score = last.score().expect("a search has a validation set");
        Reached::End(score, epochs.iter().map(|epoch| epoch.train_seconds).sum())
    }
}

/// Stops a run at the end of a rung, and when the search stops.
struct RungSupervisor<'a> {
    rung: Rung,
    trial: Trial<'a>,
    state: Option<State>,
}

impl RungSupervisor<'_> {
    fn must_stop(&self) -> bool {
        let is_stopped = self
            .trial
            .stop
            .iter()
            .any(|stop| stop.load(Ordering::Relaxed));
        is_stopped || self.trial.deadline.is_some_and(|end| Instant::now() >= end)
    }
}

impl Supervisor for RungSupervisor<'_> {
    fn after_step(&mut self, _: Position) -> Next {
        match self.must_stop() {
            true => Next::Stop,
            false => Next::Continue,
        }
    }

    fn after_epoch(&mut self, epochs: &[EpochMetrics], is_last: bool) -> Result<Next> {
        let is_at_end = epochs.len() >= self.rung.epochs;
        Ok(match !is_last && (is_at_end || self.must_stop()) {
            true => Next::Stop,
            false => Next::Continue,
        })
    }

    fn save(&mut self, state: State) -> Result<()> {
        self.state = Some(state);
        Ok(())
    }
}
