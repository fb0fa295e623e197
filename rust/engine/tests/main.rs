//! Tests of the engine from outside: a running node, real sockets on loopback, and the Python
//! side played by the test. One module for each promise of the engine.
//!
//! No test sleeps: it waits for an event with a deadline, or for a silence that is the point.

#[cfg(test)]
mod admission;
#[cfg(test)]
mod allocation;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod driver;
#[cfg(test)]
mod echo;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod heartbeat;
#[cfg(test)]
mod inbound;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod passages;
#[cfg(test)]
mod shards;
#[cfg(test)]
mod topics;
