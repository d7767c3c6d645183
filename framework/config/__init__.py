"""From a composed configuration to checked objects: building, plug-ins, identity, and quoting of typed text."""
