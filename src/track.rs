//! Tracking.
