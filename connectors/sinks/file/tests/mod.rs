//! The sink against files: what it writes, what destroys them, and kills.

mod destroyed;
mod exactness;
mod killed;
mod settings;
