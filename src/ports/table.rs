//! A small ordered table of texts by key, for what an object keeps beside a journal.

/// An ordered table. Keys sort by their bytes. Every method is one atomic, durable step.
pub trait Table: Send + Sync {
    /// The value at a key.
    ///
    /// # Errors
    /// In words, when the storage fails (so for each method).
    fn get(&self, key: &str) -> Result<Option<String>, String>;

    /// Sets the value at a key.
    #[allow(clippy::missing_errors_doc)]
    fn put(&self, key: &str, value: &str) -> Result<(), String>;

    /// Removes a key; one that is not there is no error.
    #[allow(clippy::missing_errors_doc)]
    fn delete(&self, key: &str) -> Result<(), String>;

    /// At most `limit` pairs with `from <= key < to`, in order.
    #[allow(clippy::missing_errors_doc)]
    fn scan(&self, from: &str, to: &str, limit: usize) -> Result<Vec<(String, String)>, String>;
}
