//! `hivewire-swarm`: a fleet of WebSocket clients in one process.
//!
//! Each thread drives thousands of connections with one epoll and a file table of its own; frames
//! are built once and patched; answers are scanned, not parsed. What it reports is one JSON object
//! on standard output: rates, percentiles, the server's CPU per operation, and every broken promise
//! it saw (a hole in `seq`, an answer out of order, something twice). Those make it exit with 1.

mod cli;
mod clock;
mod conductor;
mod fleet;
mod line;
mod login;
mod objects;
mod procfs;
mod report;
mod scenario;
mod shared;
mod token;
mod worker;
mod ws;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match fleet::run(&cli) {
        Ok(report) => {
            report.print();
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            report::say(&format!("hivewire-swarm: {error}"));
            ExitCode::from(2)
        }
    }
}
