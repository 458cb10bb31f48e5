//! The suite of all backends, in tests/suite, run on those that Linux lacks.

macro_rules! for_each_backend {
    ($($test:ident)*) => {
        mod kqueue {
            $(#[test] fn $test() { super::$test::<fd_selectors::KqueueBackend>(); })*
        }
        mod eventport {
            $(#[test] fn $test() { super::$test::<fd_selectors::EventPortBackend>(); })*
        }
        mod devpoll {
            $(#[test] fn $test() { super::$test::<fd_selectors::DevpollBackend>(); })*
        }
    };
}

#[path = "../../../tests/suite/behaviour.rs"]
mod behaviour;
#[path = "../../../tests/suite/model.rs"]
mod model;
#[path = "../../../tests/suite/waking.rs"]
mod waking;
