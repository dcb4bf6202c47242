//! Training of one trial up to the end of a rung, from its last state if there is one. The result has the same bits as an
//! uninterrupted run of its settings after as many epochs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::folder::TuneFolder;
use super::halving::Rung;
use super::journal::{Measured, Subject};
use crate::compute::parallel::Workers;
use crate::config::{CheckedConfig, MaxTime};
use crate::data::Splits;
use crate::durable::remove_leftovers;
use crate::error::{Error, Refusal, Result};
use crate::model::Model;
use crate::run::{Checkpoint, Checkpoints, Identity};
use crate::scores::{EpochMetrics, Score};
use crate::table::Schema;
use crate::train::prepare::spec_for;
use crate::train::{
    Ending, Event, Next, Outcome, Position, State, Supervisor, Training, Unsupervised,
};

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
    /// When the time of the trial in its rung is up.
    pub end: Option<Instant>,
    /// How the table was read that the data are from, for the model.
    pub schema: Option<&'a Schema>,
}

/// How far a trial was trained.
pub(super) enum Reached {
    /// The end of the rung, with the seconds of training in total.
    End(Score, f64),
    /// A state within the rung, which is not saved: its time was up.
    Cut(Cut),
    /// A loss that is not finite, in this epoch.
    Diverged(usize),
    /// A state within the rung, which is saved: the search was stopped.
    Stopped,
}

/// A result of a trial whose time was up before the end of its rung.
pub(super) struct Cut {
    pub score: Score,
    /// The number of whole epochs.
    pub epochs: usize,
    /// The share of the next epoch.
    pub part: Option<f64>,
    /// The seconds of training in total.
    pub seconds: f64,
    state: Box<State>,
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
            schema: self.schema,
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
            Ok(Ending::Finished(outcome)) => {
                if let Some(state) = supervisor.state {
                    self.save(&states, state)?;
                }
                Ok(Reached::of(&outcome.epochs))
            }
            Ok(Ending::Stopped(place)) => {
                let state = supervisor.state.expect("a stopped run saves its state");
                let reached = match place {
                    Position { epochs, steps: 0 } if epochs >= rung.epochs => {
                        Reached::of(&state.epochs)
                    }
                    _ if self.is_stopped() => Reached::Stopped,
                    _ => return self.cut(state, workers),
                };
                self.save(&states, state)?;
                Ok(reached)
            }
            Err(Error::Diverged { epoch, .. }) => Ok(Reached::Diverged(epoch)),
            Err(error) => Err(error),
        }
    }

    /// Whether the search was stopped.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.iter().any(|stop| stop.load(Ordering::Relaxed))
    }

    /// Scores the network of a state within the rung.
    fn cut(&self, state: State, workers: &Workers) -> Result<Reached> {
        let outcome = match self.outcome(state.clone(), workers) {
            Err(Error::Diverged { epoch, .. }) => return Ok(Reached::Diverged(epoch)),
            outcome => outcome?,
        };
        let Reached::End(score, seconds) = Reached::of(&outcome.epochs) else {
            unreachable!("epochs that are done have a score");
        };
        let part = outcome.last().part;
        Ok(Reached::Cut(Cut {
            score,
            epochs: outcome.epochs.len() - usize::from(part.is_some()),
            part,
            seconds,
            state: Box::new(state),
        }))
    }

    /// Saves the state of a result that counts. If a worse one were saved, the model of the best would be gone.
    pub(super) fn keep(&self, cut: Cut) -> Result<()> {
        self.save(&self.folder.state_of(self.number), *cut.state)
    }

    /// The network of `state`, with its scores.
    ///
    /// # Panics
    /// Panics if no step has been taken.
    fn outcome(&self, state: State, workers: &Workers) -> Result<Outcome> {
        // A run whose time was over when it was resumed ends where it is.
        let mut config = self.config.clone().into_inner();
        config.validation.max_time = Some(MaxTime(Duration::from_nanos(1)));
        let training = Training {
            config: &config.check()?,
            data: self.data,
            schema: self.schema,
            workers,
            profiled: false,
            from: Some(state),
        };
        match training.run(&mut Unsupervised, &mut |_| {})? {
            Ending::Finished(mut outcome) => {
                if let Some(provenance) = &mut outcome.model.provenance {
                    provenance.config.validation.max_time = None;
                }
                Ok(outcome)
            }
            Ending::Stopped(place) => unreachable!("nobody stopped the run at {place}"),
        }
    }

    /// Returns the model of a result of this trial: from its state, or by training it again if that is gone. `None` if the
    /// search is stopped meanwhile, or if there is no model with exactly the score of the result.
    pub(super) fn model(mut self, of: &Measured, workers: &Workers) -> Result<Option<Model>> {
        let states = self.folder.state_of(self.number);
        let is_of = |state: &State| {
            let is_within = state.steps > 0;
            state.epochs.len() == of.epochs && is_within == of.part.is_some()
        };
        let state = match self.newest(&states)?.filter(is_of) {
            Some(state) => Some(state),
            // How far it was trained depended on the time.
            None if of.part.is_some() || self.is_stopped() => None,
            None => {
                // Its state was removed, as another trial continued instead.
                (self.deadline, self.end) = (None, None);
                let rung = Rung {
                    epochs: of.epochs.max(1),
                    trials: 1,
                };
                self.folder.drop_trial(self.number)?;
                self.train_to(rung, workers, &mut || {})?;
                self.newest(&states)?.filter(|_| !self.is_stopped())
            }
        };
        let Some(state) = state else { return Ok(None) };
        let outcome = self.outcome(state, workers)?;
        Ok((outcome.last().score() == of.score).then_some(outcome.model))
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
        let ends = [self.trial.deadline, self.trial.end];
        let is_over = ends.iter().flatten().any(|end| Instant::now() >= *end);
        is_over || self.trial.is_stopped()
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
        Ok(match is_at_end || self.must_stop() {
            // The state is kept for the model.
            true if is_last => Next::Save,
            true => Next::Stop,
            false => Next::Continue,
        })
    }

    fn save(&mut self, state: State) -> Result<()> {
        self.state = Some(state);
        Ok(())
    }
}
