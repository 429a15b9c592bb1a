//! Assistants are let in: the whole way of one, and what else may be tried on it.

mod attacks;
mod browser;
mod clients;
mod flow;
mod place;
mod published;
