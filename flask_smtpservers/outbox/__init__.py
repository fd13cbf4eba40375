"""Delivery that survives: messages kept in the database until a server has taken them, or nobody can.

A message is written in the host's own transaction (:mod:`.enqueue`). A worker (:mod:`.worker`) claims it
(:mod:`.claims`), opens an attempt, and hands it over (:mod:`.carrier`). Right before the final dot it writes down that
it is about to send it (:meth:`.claims.Claims.intend`), and afterwards what came of it, in one transaction
(:mod:`.settling`). So whatever dies at whatever moment, the rows tell what a server can have and what it cannot.
"""
