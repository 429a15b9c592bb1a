//! Randomness.

/// Gives random bytes. The edges use the system's; tests use a seed.
pub trait Entropy: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);

    /// Sixteen random bytes, for an id.
    fn bytes16(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes
    }

    /// A number drawn uniformly from `0..=max` (the bias of the remainder is below 2⁻³² for the delays it is used for).
    fn up_to(&self, max: u32) -> u32 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u32::try_from(u64::from_le_bytes(bytes) % (u64::from(max) + 1)).unwrap_or(max)
    }
}
