"""The inbox, held to what soapsvc.inbox.store promises."""
