//! What was measured, in rounds.

use crate::contestants::Contestant;
use crate::workloads::{Cost, Workload};

/// One contestant under one workload, round by round.
pub(crate) struct Cell {
    pub(crate) contestant: Contestant,
    pub(crate) workload: Workload,
    pub(crate) rounds: Vec<Cost>,
}

/// One contestant at rest.
pub(crate) struct Rest {
    pub(crate) contestant: Contestant,
    /// Milliseconds from its start to its first answer.
    pub(crate) started_in: f64,
    /// MB that it holds after one answer.
    pub(crate) idle: f64,
    /// MB of its program.
    pub(crate) size: Option<f64>,
}

/// The service while so much comes each second.
pub(crate) struct Paced {
    pub(crate) what: &'static str,
    pub(crate) a_second: u64,
    pub(crate) cost: Cost,
}

#[derive(Default)]
pub(crate) struct Results {
    pub(crate) cells: Vec<Cell>,
    pub(crate) rest: Vec<Rest>,
    pub(crate) paced: Vec<Paced>,
    /// Why a contestant is missing.
    pub(crate) missing: Vec<(Contestant, String)>,
}

impl Results {
    pub(crate) fn cell(&self, contestant: Contestant, workload: Workload) -> Option<&Cell> {
        self.cells.iter().find(|cell| (cell.contestant, cell.workload) == (contestant, workload))
    }

    pub(crate) fn add(&mut self, contestant: Contestant, workload: Workload, cost: Cost) {
        let mut cells = self.cells.iter_mut();
        let known = cells.find(|cell| (cell.contestant, cell.workload) == (contestant, workload));
        match known {
            Some(cell) => cell.rounds.push(cost),
            None => self.cells.push(Cell { contestant, workload, rounds: vec![cost] }),
        }
    }

    /// The CPU time of a call of the floor, as a share of the contestant's: the median of the rounds, in each of which
    /// both were measured one after the other.
    pub(crate) fn ratio(&self, contestant: Contestant, workload: Workload) -> Option<f64> {
        let floor = self.cell(Contestant::Floor, workload)?;
        let rounds = &self.cell(contestant, workload)?.rounds;
        let pairs = floor.rounds.iter().zip(rounds);
        Some(median(pairs.map(|(floor, round)| floor.cpu / round.cpu)))
    }
}

impl Cell {
    pub(crate) fn median(&self, of: impl Fn(&Cost) -> f64) -> f64 {
        median(self.rounds.iter().map(of))
    }

    pub(crate) fn peak(&self) -> f64 {
        self.rounds.iter().map(|cost| cost.peak).fold(0.0, f64::max)
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
