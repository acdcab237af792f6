//! The objects that handlers get in this process: one `server`, and the workers by age.
//!
//! The lock is held to look objects up, never across a call into Python.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use tricorn_server::hooks::Age;

use crate::objects::WorkerControl;

/// The objects of this process.
pub(crate) struct Scene {
    /// `None` once the process is about to end.
    server: Mutex<Option<Py<PyAny>>>,
    cast: Mutex<Cast>,
}

#[derive(Default)]
struct Cast {
    workers: HashMap<Age, Py<PyAny>>,
    /// In a worker: itself.
    worker: Option<Py<PyAny>>,
}

static SCENE: OnceLock<Scene> = OnceLock::new();

/// The scene, once it is set.
pub(crate) fn scene() -> Option<&'static Scene> {
    SCENE.get()
}

/// Sets the scene; once in a process's life.
pub(crate) fn set_scene(server: Py<PyAny>) -> &'static Scene {
    SCENE.get_or_init(|| Scene {
        server: Mutex::new(Some(server)),
        cast: Mutex::default(),
    })
}

impl Scene {
    fn lock(&self) -> MutexGuard<'_, Cast> {
        self.cast.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `server` object; None at the very end of the process.
    pub(crate) fn server<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let server = server.as_ref().map(|server| server.bind(py).clone());
        server.unwrap_or_else(|| py.None().into_bound(py))
    }

    /// Lets go of all objects.
    pub(crate) fn let_go(&self, py: Python<'_>) {
        let control = self
            .worker(py)
            .and_then(|worker| worker.getattr("_control").ok());
        if let Some(control) = control
            .as_ref()
            .and_then(|it| it.cast::<WorkerControl>().ok())
        {
            control.get().let_go();
        }
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let former = (server.take(), std::mem::take(&mut *self.lock()));
        drop(server);
        // Only now: dropping an object may run code of its own.
        drop(former);
    }

    /// The worker of this age.
    pub(crate) fn worker_of<'py>(&self, py: Python<'py>, age: Age) -> Option<Bound<'py, PyAny>> {
        self.lock()
            .workers
            .get(&age)
            .map(|worker| worker.bind(py).clone())
    }

    /// In a worker: its own object.
    pub(crate) fn worker<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.lock()
            .worker
            .as_ref()
            .map(|worker| worker.bind(py).clone())
    }

    /// Makes the object of a worker that is about to be forked.
    pub(crate) fn expect(&self, py: Python<'_>, age: Age, id: usize) -> PyResult<()> {
        let worker = self
            .server(py)
            .call_method1(intern!(py, "_expect"), (age, id))?
            .unbind();
        self.lock().workers.insert(age, worker);
        Ok(())
    }

    /// Forgets a worker.
    pub(crate) fn forget(&self, age: Age) {
        let forgotten = self.lock().workers.remove(&age);
        drop(forgotten);
    }

    /// In a child: this process is the worker of this age.
    pub(crate) fn become_worker<'py>(
        &self,
        py: Python<'py>,
        age: Age,
    ) -> Option<Bound<'py, PyAny>> {
        let worker = self.worker_of(py, age)?;
        self.lock().worker = Some(worker.clone().unbind());
        Some(worker)
    }
}
