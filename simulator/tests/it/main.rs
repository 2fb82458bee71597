//! The simulator as its clients see it: every test starts one on a port of its own and stops it.

#[cfg(test)]
mod auth;
#[cfg(test)]
mod binary;
#[cfg(test)]
mod client;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod story;
#[cfg(test)]
mod strictness;
