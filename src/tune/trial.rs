//! One trial, trained up to the end of a rung: from its last state, or anew where there is none, with the bits that an
//! undisturbed run of its settings has after as many epochs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::folder::TuneFolder;
use super::halving::Rung;
use super::journal::Subject;
use crate::compute::parallel::Workers;
use crate::config::TrainConfig;
use crate::data::Splits;
use crate::durable::remove_leftovers;
use crate::error::{Error, Refusal, Result};
use crate::run::{Checkpoint, Identity, Shelf};
use crate::scores::{EpochMetrics, Score};
use crate::train::prepare::spec_for;
use crate::train::{Ending, Event, Place, State, Supervisor, Then, Training};

/// What a trial needs to be trained.
#[derive(Clone, Copy)]
pub(super) struct Trial<'a> {
    /// Its number.
    pub number: usize,
    pub config: &'a TrainConfig,
    pub data: &'a Splits,
    pub folder: &'a TuneFolder,
    pub subject: &'a Subject,
    /// Stops it after the step under way when any becomes true.
    pub stop: [&'a AtomicBool; 2],
    /// When the time of the search is over.
    pub deadline: Option<Instant>,
}

/// What became of a trial.
pub(super) enum Reached {
    /// The end of the rung, after some seconds of training in all.
    End(Score, f64),
    /// A loss that is not finite, in this epoch.
    Diverged(usize),
    /// It was stopped on its way; its state is kept.
    Stopped,
}

impl Trial<'_> {
    /// Trains up to the end of `rung` with `workers`, telling `on_epoch` after each epoch.
    pub(super) fn train_to(
        self,
        rung: Rung,
        workers: &Workers,
        on_epoch: &mut (dyn FnMut() + Send),
    ) -> Result<Reached> {
        let shelf = self.folder.shelf(self.number);
        let from = self.newest(&shelf)?;
        let done = from.as_ref().map_or(0, |state| state.epochs.len());
        if let (Some(state), true) = (&from, done >= rung.epochs) {
            return Ok(Reached::of(&state.epochs[..rung.epochs]));
        }
        let mut keeper = UpTo {
            rung,
            trial: self,
            state: None,
        };
        let training = Training {
            config: self.config,
            data: self.data,
            workers,
            profiled: false,
            from,
        };
        let ending = training.run(&mut keeper, &mut |event| {
            if let Event::Epoch(_) = event {
                on_epoch();
            }
        });
        match ending {
            Ok(Ending::Finished(outcome)) => Ok(Reached::of(&outcome.epochs)),
            Ok(Ending::Stopped(place)) => {
                let state = keeper.state.expect("a run that stops hands its state over");
                let reached = match place {
                    Place { epochs, steps: 0 } if epochs >= rung.epochs => {
                        Reached::of(&state.epochs)
                    }
                    _ => Reached::Stopped,
                };
                self.save(&shelf, state)?;
                Ok(reached)
            }
            Err(Error::Diverged { epoch, .. }) => Ok(Reached::Diverged(epoch)),
            Err(error) => Err(error),
        }
    }

    /// The state that the trial goes on from. One that is damaged is as good as none: the same bits come again.
    fn newest(&self, shelf: &Shelf) -> Result<Option<State>> {
        if !shelf.path().exists() {
            return Ok(None);
        }
        remove_leftovers(shelf.path(), &["epoch-"])?;
        let Some((path, checkpoint)) = shelf.newest()?.good else {
            return Ok(None);
        };
        if checkpoint.identity.config != *self.config {
            return Err(Error::Run(Refusal::new(
                path.display(),
                "the state of a trial with other settings",
                "those that the search draws",
            )));
        }
        Ok(Some(checkpoint.state))
    }

    fn save(&self, shelf: &Shelf, state: State) -> Result<()> {
        crate::durable::create_folder(shelf.path())?;
        let place = state.place();
        let subject = self.subject.clone();
        shelf.save(&Checkpoint {
            spec: spec_for(self.config, self.data)?,
            identity: Identity {
                version: subject.version,
                revision: subject.revision,
                config: self.config.clone(),
                engine: subject.engine,
                data: subject.data,
            },
            state,
        })?;
        shelf.thin_out(place, 1)
    }
}

impl Reached {
    /// The end of the last of `epochs`, all that were trained.
    fn of(epochs: &[EpochMetrics]) -> Reached {
        let last = &epochs[epochs.len() - 1];
        let score = last.score().expect("a search has a validation set");
        Reached::End(score, epochs.iter().map(|epoch| epoch.train_seconds).sum())
    }
}

/// Stops a run at the end of a rung, and wherever the search is told to stop.
struct UpTo<'a> {
    rung: Rung,
    trial: Trial<'a>,
    state: Option<State>,
}

impl UpTo<'_> {
    fn asked_to_stop(&self) -> bool {
        let asked = self
            .trial
            .stop
            .iter()
            .any(|stop| stop.load(Ordering::Relaxed));
        asked || self.trial.deadline.is_some_and(|end| Instant::now() >= end)
    }
}

impl Supervisor for UpTo<'_> {
    fn after_step(&mut self, _: Place) -> Then {
        match self.asked_to_stop() {
            true => Then::Stop,
            false => Then::GoOn,
        }
    }

    fn after_epoch(&mut self, epochs: &[EpochMetrics], over: bool) -> Result<Then> {
        let there = epochs.len() >= self.rung.epochs;
        Ok(match !over && (there || self.asked_to_stop()) {
            true => Then::Stop,
            false => Then::GoOn,
        })
    }

    fn save(&mut self, state: State) -> Result<()> {
        self.state = Some(state);
        Ok(())
    }
}
