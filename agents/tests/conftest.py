from tests.stub_llm import stub_llm, stub_llm_server

__all__ = ["stub_llm", "stub_llm_server"]
