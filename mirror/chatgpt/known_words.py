"""Keys of ChatGPT's answers that are known from its API, and so hold nothing of a person (API notes §1 to §6).

The skeletons of answers keep them wherever they stand; other keys only in an object that consists mostly of these (see
``mirror.skeleton``). A key that lacks here is no fault: it is kept beside known ones, and is a ``*`` elsewhere.
"""

from __future__ import annotations

from mirror.skeleton import ApiWords


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KNOWN_KEYS = _words(
    """
about_model_message about_user_message about_you accessToken account account_id account_ordering account_user_role
accounts action_name after aggregate_result alt app_pairing_content archived args aspect_ratio asset_pointer assets
async_status async_task_id async_task_prompt async_task_title async_task_type atlas_mode_enabled attachments
attribution attributions_debug audio_asset_pointer audio_start_timestamp audio_transcription author authProvider
banner before before_version blocked blocked_urls body branching_from_conversation_id
branching_from_conversation_title can_retry canvas channel chart chat_messages chatgpt_sdk children chunks
citation_format_type citations cited_message_idx client_id code code_blocks color command comments
connector_tool_payload content content_references content_references_by_file content_type contents context
context_connector_info context_scopes context_scopes_v2 conversation conversation_id conversation_ids
conversation_origin conversation_template_id conversations create_source create_time created created_at
created_timestamp creation_time current_node current_node_id current_user_permission cursor data date decoding_id
default default_model_slug deleted_at depth description detail developer_content dictation direction disabled_tool_ids
disabled_tools disclaimers display document domain download_url email emoji enabled end end_cursor end_idx end_ix
end_time end_turn entitlement entity_data entries error error_code evalue expires expiry_datetime explanation
export_files extra extra_params fallback_items feature features fff_metadata file file_id file_name file_size filename
files final_expression_output finish_details finished finished_duration_sec finished_text format frames_asset_pointers
from_version gen_id generation generations gizmo gizmo_id gizmo_type gizmos gpt_id groups guid has_active_subscription
has_missing_conversations has_more has_next_page has_previous_page has_user_edit has_versions hash headline height
href icon id idp image image_count image_gen_task_id image_gen_title image_group image_results image_url images
in_kernel_exception index input input_pointer instructions invalid_reason invoked_plugin is_archived
is_automation_conversation is_big_paste is_complete is_deactivated is_do_not_remember is_enabled is_read_only
is_starred is_study_mode is_temporary_chat is_thinking_preamble_message is_user_system_message is_visible
is_visually_hidden_from_conversation item item_type items jupyter_messages kind label labels language last_active_at
last_id last_interacted_at latest library_artifact_type library_file_id library_files limit link list loc location
logical_files mapping matched_text max_tokens media memories memory memory_max_tokens memory_num_tokens memory_scope
message message_feedback message_id message_source message_type messages messages_count metadata metadata_list mfa
mfa_flag_enabled mime_type mimeType model model_comparisons model_editable_context model_set_context model_slug
moderation_results msg name name_user_message num_interactions object offset order organization_id orgs
origination_message_id origination_thread_id other_user_message output output_str owner page page_info parent
parent_id partial_results parts path payload personality_type_selection phone_number picture pinned pinned_at
pinned_time plan_type planType plugin_ids product product_features project project_id prompt prompt_text prompts
pub_date query question quote reason reasoning_end_time reasoning_start_time reasoning_status reasoning_title
recipient ref_id ref_index ref_type refs replacement repo_summary report_message repository request_id
resolved_model_slug resource response response_format_name result results role role_user_message root run_id safe_urls
sanitized screenshot search_queries search_result_groups sectioned_conversation selected_sources
serialization_metadata serialization_title sessionToken settings sharded share_id shared short_url sidebar size
size_bytes slug snippet source source_analysis_msg_id sources start start_cursor start_idx start_ix start_time state
status stderr stdout stop stop_tokens structure structured_context subscription_plan subtitle success sugar_item_id
sugar_item_visible summary summary_type supporting_websites system system_exception system_hints table task_id
tether_id text textdoc_id textdoc_type textdocs thinking_effort thoughts thread_id threads thumbnail time timestamp
title token tool tool_name tools total total_count traceback training_allowed traits_enabled traits_model_message
transcript transcription turn_exchange_id turn_index type update_time updated updated_at updates uri url urls usage
user user_context_message_data user_editable_context user_id user_instructions user_profile user_settings
user_system_message_detail uuid value variant version video_container_asset_pointer visible_from_message_id voice
voice_mode_message WARNING_BANNER widget widget_state widgets width word_transcription working_turn_id workspace
workspace_id writing_blocks
"""
)

# The parts of the paths that this program asks for; every other part of a path is an id.
_PATH_WORDS = _words(
    """
accounts api auth backend-api batch check conversation conversations gizmos me memories messages pins session
shared_conversations sidebar snorlax user_system_messages v4-2023-04-27
"""
)

WORDS = ApiWords(_PATH_WORDS, _KNOWN_KEYS, id_maps=frozenset({"accounts", "code_blocks", "mapping", "writing_blocks"}))
