//! WebSocket peers in other languages.
