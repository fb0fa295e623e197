//! Tests of the protocol core: one module for each source file, and three that go across.

#[cfg(test)]
mod assembly;
#[cfg(test)]
mod close;
mod close_frame;
#[cfg(test)]
mod codec;
#[cfg(test)]
mod connection;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod deflate;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod error;
#[cfg(test)]
mod extension;
#[cfg(test)]
mod frame;
#[cfg(test)]
#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is a library of its own for the fuzz targets")]
mod fuzz;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod head;
#[cfg(test)]
mod input;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod mask;
#[cfg(test)]
mod message;
#[cfg(test)]
mod origin;
#[cfg(test)]
mod split;
#[cfg(test)]
mod state;
#[cfg(test)]
mod utf8;

#[cfg(test)]
use fuzz::driver;
