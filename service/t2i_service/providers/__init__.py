"""Where pictures come from: each provider speaks the same six statuses, so that `generation` knows only one."""
