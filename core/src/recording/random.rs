//! The random numbers of a replayed call: the same for the same seed.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

pub use rand_chacha::rand_core::Rng;

/// The streams of numbers of one seed: a node that draws from one of them changes nothing in the others.
pub const SECURE: u64 = 0;
/// Numbers that need not be secret.
pub const INSECURE: u64 = 1;
/// The seeds of hash maps.
pub const SEED: u64 = 2;

/// The generator of one stream.
#[must_use]
pub fn generator(seed: u64, stream: u64) -> ChaCha20Rng {
    let mut generator = ChaCha20Rng::seed_from_u64(seed);
    generator.set_stream(stream);
    generator
}
